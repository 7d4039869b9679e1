//! Scripts and styles: within the program, so that no request leaves the host. What others wrote is kept as they published
//! it, in `assets/vendor`, with its licence; a test holds each file to its SHA-256.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};

use crate::fault::Fault;

/// One file.
pub(crate) struct Asset {
    name: &'static str,
    content_type: &'static str,
    bytes: &'static [u8],
}

const JS: &str = "text/javascript; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";

macro_rules! assets {
    ($($name:literal, $content_type:expr;)*) => {
        /// All of them.
        const ALL: &[Asset] = &[$(Asset {
            name: $name,
            content_type: $content_type,
            bytes: include_bytes!(concat!("../assets/", $name)),
        },)*];
    };
}

assets! {
    "console.css", CSS;
    "console.js", JS;
    "icon.svg", "image/svg+xml";
    "vendor/htmx.min.js", JS;
    "vendor/uPlot.iife.min.js", JS;
    "vendor/uPlot.min.css", CSS;
}

/// What stands in the address of every asset: of other bytes it is another one, so that browsers may keep them for ever.
pub(crate) fn version() -> &'static str {
    static VERSION: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    VERSION.get_or_init(|| {
        let mut all = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
        ALL.iter().for_each(|asset| all.update(asset.bytes));
        hex::encode(&all.finish().as_ref()[..6])
    })
}

pub(crate) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.route("/console/assets/{version}/{name:.*}", web::get().to(get));
}

async fn get(request: HttpRequest) -> Result<HttpResponse, Fault> {
    let name = request.match_info().query("name");
    let asset = ALL.iter().find(|asset| asset.name == name).ok_or(Fault::NotFound)?;
    // Of another version: it is given, and not kept under a name that is not its own.
    let is_this = request.match_info().query("version") == version();
    let cache = if is_this { "public, max-age=31536000, immutable" } else { "no-cache" };
    Ok(HttpResponse::Ok()
        .content_type(asset.content_type)
        .insert_header((header::CACHE_CONTROL, cache))
        .insert_header((header::CONTENT_SECURITY_POLICY, crate::around::POLICY))
        .body(asset.bytes))
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::digest::{SHA256, digest};

    use super::*;

    /// What npm has as htmx.org 2.0.11 and uplot 1.6.32.
    const PUBLISHED: &[(&str, &str)] = &[
        ("vendor/htmx.min.js", "d6fdc75f204e6bdefa99b69bf1e6d4ac69b8a364f77929f45c13476b4000f717"),
        ("vendor/uPlot.iife.min.js", "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f"),
        ("vendor/uPlot.min.css", "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04"),
    ];

    #[test]
    fn what_others_wrote_is_as_they_published_it() {
        let vendored: Vec<&str> =
            ALL.iter().map(|asset| asset.name).filter(|name| name.starts_with("vendor/")).collect();
        let published: Vec<&str> = PUBLISHED.iter().map(|(name, _)| *name).collect();
        assert_eq!(vendored, published, "each of them has its digest here");
        for (name, sha256) in PUBLISHED {
            let asset = ALL.iter().find(|asset| asset.name == *name).unwrap();
            assert_eq!(hex::encode(digest(&SHA256, asset.bytes)), *sha256, "{name}");
        }
    }

    #[test]
    fn all_scripts_together_are_small_and_none_asks_elsewhere() {
        let scripts: Vec<&Asset> = ALL.iter().filter(|asset| asset.content_type == JS).collect();
        let bytes: usize = scripts.iter().map(|asset| asset.bytes.len()).sum();
        assert!(scripts.len() == 3 && bytes < 120_000, "{bytes} bytes of script");
        for asset in ALL.iter().filter(|asset| !asset.name.starts_with("vendor/")) {
            let text = std::str::from_utf8(asset.bytes).unwrap();
            // A name space is an identifier, and nothing is fetched from it.
            let text = text.replace("http://www.w3.org/2000/svg", "");
            assert!(!text.contains("http://") && !text.contains("https://") && !text.contains("//cdn"));
        }
    }
}
