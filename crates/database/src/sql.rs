//! The text of all SQL, one constant for each file of `sql/queries`: `sql::event_log::INSERT_EVENTS`.
//!
//! The files name the schema `counterfoil`; when it is called otherwise, its name is put in as they are read.

use std::borrow::Cow;

use tokio_postgres::types::Type;

include!(concat!(env!("OUT_DIR"), "/sql.rs"));

/// The name of the schema in the files.
pub const DEFAULT_SCHEMA: &str = "counterfoil";

/// One statement and its name, `<crate>/<verb_noun>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Query {
    name: &'static str,
    text: &'static str,
}

impl Query {
    /// Public so that tests can have queries of their own; everybody else takes the constants.
    pub const fn new(name: &'static str, text: &'static str) -> Self {
        Self { name, text }
    }

    /// Its name, for logs and errors.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Its text as it stands in the file.
    pub fn text(&self) -> &'static str {
        self.text
    }

    /// The types of its parameters, as its header says them: `-- $1 name type`. For where the server is not asked.
    pub fn types(&self) -> Vec<Type> {
        let mut types = Vec::new();
        for line in self.text.lines().map_while(|line| line.strip_prefix("--")) {
            for said in line.split('$').skip(1) {
                let mut words = said.split_whitespace();
                let number = words.next().and_then(|word| word.parse().ok());
                // The name may be a type's too.
                let found = words.skip(1).find_map(type_of);
                if let (true, Some(found)) = (number == Some(types.len() + 1), found) {
                    types.push(found);
                }
            }
        }
        types
    }

    /// Its text for a schema of that name.
    pub fn text_for(&self, schema: &str) -> Cow<'static, str> {
        if schema == DEFAULT_SCHEMA {
            Cow::Borrowed(self.text)
        } else {
            Cow::Owned(with_schema(self.text, schema))
        }
    }
}

fn type_of(word: &str) -> Option<Type> {
    Some(match word.trim_end_matches([',', ':', ';', '.']) {
        "bigint" => Type::INT8,
        "bigint[]" => Type::INT8_ARRAY,
        "boolean" => Type::BOOL,
        "boolean[]" => Type::BOOL_ARRAY,
        "bytea" => Type::BYTEA,
        "bytea[]" => Type::BYTEA_ARRAY,
        "integer" => Type::INT4,
        "integer[]" => Type::INT4_ARRAY,
        "smallint" => Type::INT2,
        "smallint[]" => Type::INT2_ARRAY,
        "text" => Type::TEXT,
        "text[]" => Type::TEXT_ARRAY,
        "timestamptz" => Type::TIMESTAMPTZ,
        "timestamptz[]" => Type::TIMESTAMPTZ_ARRAY,
        "uuid" => Type::UUID,
        "uuid[]" => Type::UUID_ARRAY,
        _ => return None,
    })
}

/// Every query, for the test that prepares each.
pub fn all() -> &'static [Query] {
    ALL
}

/// The texts of which a migrated schema is made, for whoever keeps one to copy.
pub fn schema_files() -> impl Iterator<Item = &'static str> {
    SETUP.iter().chain(MIGRATIONS).chain(ROLES).map(Query::text)
}

/// Replaces the schema's name where it qualifies something (`counterfoil.`) or stands after `SCHEMA`. Names that only
/// begin or end so, as the role's, are left alone.
pub(crate) fn with_schema(text: &str, schema: &str) -> String {
    let mut out = String::with_capacity(text.len() + 64);
    let mut rest = text;
    while let Some(at) = rest.find(DEFAULT_SCHEMA) {
        let (before, from) = rest.split_at(at);
        let after = &from[DEFAULT_SCHEMA.len()..];
        out.push_str(before);
        let starts = !out.ends_with(is_of_name);
        let qualifies = after.starts_with('.');
        let named = out.trim_end().to_ascii_uppercase().ends_with("SCHEMA") && !after.starts_with(is_of_name);
        if starts && (qualifies || named) {
            out.push('"');
            out.push_str(schema);
            out.push('"');
        } else {
            out.push_str(DEFAULT_SCHEMA);
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '"'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_is_replaced_where_it_names_the_schema_and_nowhere_else() {
        let text = "GRANT USAGE ON SCHEMA counterfoil TO counterfoil_service;\n\
                    SELECT 'counterfoil.events'::regclass FROM counterfoil.events, my_counterfoil.x";
        assert_eq!(
            with_schema(text, "shop_two"),
            "GRANT USAGE ON SCHEMA \"shop_two\" TO counterfoil_service;\n\
             SELECT '\"shop_two\".events'::regclass FROM \"shop_two\".events, my_counterfoil.x"
        );
    }

    #[test]
    fn every_query_file_begins_with_its_name() {
        for query in all() {
            let file = query.name().rsplit('/').next().unwrap();
            let first = query.text().lines().next().unwrap_or_default();
            assert_eq!(first, format!("-- {file}"), "sql/queries/{}.sql", query.name());
        }
    }

    #[test]
    fn migrations_are_numbered_without_gaps() {
        for (index, migration) in MIGRATIONS.iter().enumerate() {
            let expected = format!("{:04}_", index + 1);
            assert!(migration.name().starts_with(&expected), "{} should be {expected}..", migration.name());
        }
    }
}
