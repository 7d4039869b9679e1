//! What several pages have in common.

use actix_web::HttpResponse;

use crate::fault::Fault;
use crate::visit::Visit;

/// No page has this name.
pub(crate) async fn nowhere(visit: Visit) -> Result<HttpResponse, Fault> {
    visit.me()?;
    Err(Fault::NotFound)
}

/// Rows of one page of a list.
pub(crate) const ROWS: i64 = 50;

/// How far back in the log a page looks for what hardly comes: then it says so, and goes on when it is asked to.
pub(crate) const LOOKED_BACK: i64 = 100_000;

/// A query with one thing changed: the way to another page of the same list.
pub(crate) fn with(path: &str, pairs: &[(&str, &str)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in pairs.iter().filter(|(_, value)| !value.is_empty()) {
        query.append_pair(name, value);
    }
    let query = query.finish();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}
