//! The page of the whole API, made from its OpenAPI document: readable without scripts, and nothing is fetched for it.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::page::{Language, Page, escaped, marked};

const METHODS: [&str; 4] = ["get", "post", "put", "delete"];

/// The page.
pub(super) fn page(document: &Value) -> Page {
    let info = &document["info"];
    let mut page = Page::begin(Language::English, "HTTP API");
    page.raw("<main>\n");
    page.element("h1", &format!("Counterfoil's HTTP API, {}", text(&info["version"])));
    page.prose(plain(&info["description"]));
    page.raw(
        "<p>For programs: <a href=\"/openapi.json\">/openapi.json</a>, <a href=\"/asyncapi.json\">/asyncapi.json</a>, \
         <a href=\"/schemas\">/schemas</a>. Every error: <a href=\"/docs/problems\">/docs/problems</a>.</p>\n",
    );
    let by_tag = by_tag(document);
    contents(&by_tag, &mut page);
    for (tag, operations) in &by_tag {
        page.element("h2", &escaped(tag));
        operations.iter().for_each(|operation| operation.write(&mut page));
    }
    schemas(document, &mut page);
    page.raw("</main>\n");
    page
}

/// An operation, and where it is.
struct Operation<'d> {
    document: &'d Value,
    method: &'static str,
    path: &'d str,
    described: &'d Value,
}

fn by_tag(document: &Value) -> BTreeMap<&str, Vec<Operation<'_>>> {
    let mut by_tag: BTreeMap<&str, Vec<Operation<'_>>> = BTreeMap::new();
    for (path, item) in members(&document["paths"]) {
        for method in METHODS {
            if let Some(described) = item.get(method) {
                let tag = plain(&described["tags"][0]);
                by_tag.entry(tag).or_default().push(Operation { document, method, path, described });
            }
        }
    }
    by_tag
}

fn contents(by_tag: &BTreeMap<&str, Vec<Operation<'_>>>, page: &mut Page) {
    page.raw("<nav aria-label=\"Operations\">\n<ul>\n");
    for (tag, operations) in by_tag {
        page.raw(&format!("<li>{}\n<ul>\n", escaped(tag)));
        for Operation { method, path, described, .. } in operations {
            let id = text(&described["operationId"]);
            let name = format!("{} {}", method.to_uppercase(), escaped(path));
            page.element("li", &format!("<a href=\"#{id}\"><code>{name}</code></a>"));
        }
        page.raw("</ul></li>\n");
    }
    page.raw("<li><a href=\"#schemas\">Schemas</a></li>\n</ul>\n</nav>\n");
}

impl Operation<'_> {
    fn write(&self, page: &mut Page) {
        let Self { method, path, described, .. } = self;
        page.raw(&format!("<section id=\"{}\">\n", text(&described["operationId"])));
        page.element("h3", &format!("<code>{} {}</code>", method.to_uppercase(), escaped(path)));
        page.element("p", &format!("<strong>{}</strong>", text(&described["summary"])));
        page.prose(plain(&described["description"]));
        self.roles(page);
        self.parameters(page);
        let body = &described["requestBody"];
        for (media_type, content) in members(&body["content"]) {
            page.element("h4", &format!("Body: <code>{}</code>", escaped(media_type)));
            fields(&content["schema"], page);
            for (_, example) in members(&content["examples"]) {
                page.element("p", "For example:").example(&shown_value(&example["value"]));
            }
        }
        page.element("h4", "Answers");
        let mut failures = Vec::new();
        for (status, answer) in members(&described["responses"]) {
            let answer = resolved(self.document, answer);
            if status.starts_with(['4', '5']) {
                failures.push(problems(status, answer));
            } else {
                answered(status, answer, page);
            }
        }
        page.element("p", &failures.join("; "));
        page.raw("</section>\n");
    }

    fn roles(&self, page: &mut Page) {
        let each = self.described["security"].as_array().into_iter().flatten();
        let roles: Vec<&str> = each.filter_map(|scheme| scheme["apiKey"][0].as_str()).collect();
        let said = match roles.as_slice() {
            [] => "Needs no key.".to_owned(),
            [one] => format!("Needs a key with the role {one}."),
            several => format!("Needs a key with one of the roles {}.", several.join(", ")),
        };
        page.raw(&format!("<p>{}</p>\n", escaped(&said)));
    }

    fn parameters(&self, page: &mut Page) {
        let parameters = self.described["parameters"].as_array().map_or(&[][..], Vec::as_slice);
        if parameters.is_empty() {
            return;
        }
        page.raw("<table>\n<thead><tr><th>Parameter<th>In<th>Type<th>Meaning</thead>\n<tbody>\n");
        for parameter in parameters {
            let schema = &parameter["schema"];
            let is_required = parameter["required"] == true;
            let said = parameter["description"]
                .as_str()
                .or_else(|| schema["description"].as_str())
                .unwrap_or_default();
            row(
                plain(&parameter["name"]),
                is_required,
                &[&text(&parameter["in"]), &kind(schema), &marked(said)],
                page,
            );
        }
        page.raw("</tbody>\n</table>\n");
    }
}

fn answered(status: &str, answer: &Value, page: &mut Page) {
    page.element("p", &format!("<strong>{status}</strong> {}", marked(plain(&answer["description"]))));
    for (media_type, content) in members(&answer["content"]) {
        let shown = format!("<code>{}</code>, {}", escaped(media_type), kind(&content["schema"]));
        page.raw(&format!("<details>\n<summary>{shown}</summary>\n"));
        fields(&content["schema"], page);
        members(&content["examples"]).for_each(|(_, example)| {
            page.example(&shown_value(&example["value"]));
        });
        page.raw("</details>\n");
    }
}

fn problems(status: &str, answer: &Value) -> String {
    let codes = members(&answer["content"]["application/problem+json"]["examples"]);
    let links = codes.map(|(code, _)| format!("<a href=\"/docs/problems/{code}\"><code>{code}</code></a>"));
    format!("<strong>{status}</strong> {}", links.collect::<Vec<_>>().join(", "))
}

/// What an object has, and what is in that.
fn fields(schema: &Value, page: &mut Page) {
    if members(&schema["properties"]).next().is_none() {
        return;
    }
    page.raw("<table>\n<thead><tr><th>Field<th>Type<th>Meaning</thead>\n<tbody>\n");
    rows(schema, "", page);
    page.raw("</tbody>\n</table>\n");
}

fn rows(schema: &Value, within: &str, page: &mut Page) {
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, property) in members(&schema["properties"]) {
        let (said, whole) = (marked(plain(&property["description"])), format!("{within}{name}"));
        row(&whole, required.contains(&name.as_str()), &[&kind(property), &said], page);
        rows(property, &format!("{whole}."), page);
        rows(&property["items"], &format!("{whole}[]."), page);
    }
}

fn row(name: &str, is_required: bool, cells: &[&str], page: &mut Page) {
    let mark = if is_required { "" } else { " <small>optional</small>" };
    page.raw(&format!("<tr><td><code>{}</code>{mark}", escaped(name)));
    cells.iter().for_each(|cell| {
        page.raw(&format!("<td>{cell}"));
    });
    page.raw("\n");
}

/// A type in a few words.
fn kind(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|reference| reference.rsplit('/').next()) {
        return format!("<a href=\"#schema-{0}\">{0}</a>", escaped(name));
    }
    for several in ["anyOf", "oneOf"] {
        if let Some(list) = schema[several].as_array().filter(|_| schema.get("properties").is_none()) {
            let mut kinds: Vec<String> = list.iter().map(kind).collect();
            kinds.dedup();
            return kinds.join(" or ");
        }
    }
    if let Some(value) = schema.get("const") {
        return format!("<code>{}</code>", escaped(&value.to_string()));
    }
    if let Some(values) = schema["enum"].as_array() {
        return values
            .iter()
            .map(|value| format!("<code>{}</code>", text(value)))
            .collect::<Vec<_>>()
            .join(", ");
    }
    match &schema["type"] {
        Value::Array(types) => types.iter().map(text).collect::<Vec<_>>().join(" or "),
        Value::String(name) if name == "array" => format!("list of {}", kind(&schema["items"])),
        Value::String(name) => match schema["format"].as_str() {
            Some(format) => format!("{} ({})", escaped(name), escaped(format)),
            None => escaped(name),
        },
        _ => "anything".to_owned(),
    }
}

fn schemas(document: &Value, page: &mut Page) {
    page.raw("<h2 id=\"schemas\">Schemas</h2>\n");
    for (name, schema) in members(&document["components"]["schemas"]) {
        page.raw(&format!("<section id=\"schema-{0}\">\n<h3>{0}</h3>\n", escaped(name)));
        page.prose(plain(&schema["description"]));
        if schema.get("properties").is_some() {
            fields(schema, page);
        } else {
            page.element("p", &kind(schema));
        }
        page.raw("</section>\n");
    }
}

/// What a reference within the document leads to; anything else is itself.
fn resolved<'d>(document: &'d Value, value: &'d Value) -> &'d Value {
    let pointer = value["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
    pointer.and_then(|pointer| document.pointer(pointer)).unwrap_or(value)
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

fn plain(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| escaped(&value.to_string()), escaped)
}

fn shown_value(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        value => serde_json::to_string_pretty(value).unwrap_or_default(),
    }
}
