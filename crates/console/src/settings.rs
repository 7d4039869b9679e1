//! What is in force: of the shop, as the log has it; of the process, with where each value comes from.

use actix_web::{HttpResponse, web};
use askama::Template;
use http_api::at;
use read_models::ReadModels;
use relay::Projection as _;

use crate::fault::Fault;
use crate::layout::Layout;
use crate::visit::Visit;

/// A setting of the process, as it may be shown: the binary leaves secrets out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its name.
    pub name: String,
    /// What is in force.
    pub value: String,
    /// Where that comes from: a flag, the environment, a default.
    pub source: String,
}

pub(crate) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(at("/settings").get(show).done());
}

#[derive(Template)]
#[template(path = "settings.html")]
struct Settings<'a> {
    l: Layout,
    environment: String,
    webhook_ids: Vec<String>,
    shop: Vec<(String, String)>,
    process: &'a [Setting],
}

async fn show(visit: Visit) -> Result<HttpResponse, Fault> {
    let w = visit.words();
    let shop = visit.shop()?;
    let (intake, of) = (visit.api.intake.clone(), shop.clone());
    let known = visit.api.run(async move { intake.shop(&of).await }).await?.ok();
    let settings = visit
        .read(move |client| async move {
            Ok::<_, read_models::Error>(ReadModels::default().open(&client, &shop).await?.shop.settings)
        })
        .await?;
    let settings = serde_json::to_value(&settings).unwrap_or_default();
    let shop = settings.as_object().into_iter().flatten();
    let page = Settings {
        l: Layout::new(&visit, "/console/settings", w.settings()),
        environment: known.as_ref().map(|shop| shop.environment.as_str().to_owned()).unwrap_or_default(),
        webhook_ids: known.map(|shop| shop.webhook_ids.clone()).unwrap_or_default(),
        shop: shop.map(|(name, value)| (name.clone(), shown(value))).collect(),
        process: &visit.console.settings,
    };
    visit.page(&page)
}

fn shown(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}
