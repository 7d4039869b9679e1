//! `/log/{shop}/..`: the log of a shop as it is published, exactly as <https://c2sp.org/tlog-tiles> says.
//!
//! The log of an epoch above 0 has its own prefix, `/log/{shop}/e1/..`, as it has its own origin.

use access::Role;
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse};
use audit::tree::{Error, Resource};
use domain::ShopId;

use crate::app::Shared;
use crate::methods::at;
use crate::problem::{Code, Problem};
use crate::request;

/// The checkpoint is another one soon.
const SHORT_LIVED: &str = "private, max-age=1";
const IMMUTABLE: &str = "private, max-age=31536000, immutable";

pub(crate) fn routes(cfg: &mut actix_web::web::ServiceConfig) {
    cfg.service(at("/log/{shop}/{path:.*}").get(get).done());
}

async fn get(api: Shared, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let identity = request::authorize(&api, &request, &[Role::Audit]).await?;
    let (shop, epoch, resource) = asked(request.uri().path()).ok_or_else(unknown)?;
    if shop != identity.shop {
        return Err(Problem::new(Code::Forbidden, "The key is of another shop."));
    }
    let (trees, bundles) = (api.trees.clone(), api.bundles.clone());
    let read = async move {
        // Held while it is read: a bundle may have 15 MB.
        let _one_of_few = match resource {
            Resource::Bundle(_) => bundles.acquire().await.ok(),
            _ => None,
        };
        trees.read(&shop, epoch, resource).await
    };
    let bytes = api.run(read).await?.map_err(|error| problem(&error))?.ok_or_else(unknown)?;
    let (content_type, cache) = if resource.is_immutable() {
        ("application/octet-stream", IMMUTABLE)
    } else {
        ("text/plain; charset=utf-8", SHORT_LIVED)
    };
    Ok(HttpResponse::Ok()
        .content_type(content_type)
        .insert_header((header::CACHE_CONTROL, cache))
        .insert_header((header::VARY, "Authorization"))
        .body(bytes))
}

/// Of the path as it was sent: each resource has one spelling.
fn asked(path: &str) -> Option<(ShopId, i32, Resource)> {
    let (shop, path) = path.strip_prefix("/log/")?.split_once('/')?;
    let (epoch, path) = match path.strip_prefix('e').and_then(|rest| rest.split_once('/')) {
        Some((epoch, path)) => (epoch_of(epoch)?, path),
        None => (0, path),
    };
    Some((ShopId::parse(shop).ok()?, epoch, path.parse().ok()?))
}

/// The first epoch has no prefix of its own.
fn epoch_of(text: &str) -> Option<i32> {
    let epoch: i32 = text.parse().ok()?;
    (epoch > 0 && epoch.to_string() == text).then_some(epoch)
}

fn unknown() -> Problem {
    Problem::new(Code::NotFound, "The log has not published this: see its checkpoint.")
}

fn problem(error: &Error) -> Problem {
    match error {
        Error::Database(error) => Problem::database("The log", error),
        error => Problem::internal(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_resource_has_one_spelling() {
        let asked = |path: &str| asked(path).map(|(shop, epoch, _)| (shop.to_string(), epoch));
        let of = |epoch| Some(("eu".to_owned(), epoch));
        for path in ["checkpoint", "tile/0/000", "tile/63/x001/x234/067.p/255", "tile/entries/000.p/1"] {
            assert_eq!(asked(&format!("/log/eu/{path}")), of(0), "{path}");
            assert_eq!(asked(&format!("/log/eu/e12/{path}")), of(12), "{path}");
        }
        for path in [
            "",
            "/checkpoint",
            "checkpoint/",
            "Checkpoint",
            "tile",
            "tile/0",
            "tile/00/000",
            "tile/64/000",
            "tile/0/00",
            "tile/0/000.p/0",
            "tile/0/000.p/256",
            "tile/0/000.p/01",
            "tile/0/x000/001",
            "tile/0/%30%30%30",
            "tile/-1/000",
            "tile/entries/000.p/",
            "tile/data/000",
            "../eu/checkpoint",
            "e0/checkpoint",
            "e01/checkpoint",
            "e-1/checkpoint",
            "e1/e2/checkpoint",
            "e+1/checkpoint",
        ] {
            assert_eq!(asked(&format!("/log/eu/{path}")), None, "{path}");
        }
    }
}
