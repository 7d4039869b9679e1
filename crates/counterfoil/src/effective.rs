//! The settings in force, each with where it comes from, as the console shows them.

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, CommandFactory as _};
use console::Setting;

use crate::cli::Cli;

/// Of the verb that this process runs: every flag of it with its value. Secrets are in files, whose names are shown; what a
/// URL says of a login is left out.
pub(crate) fn settings() -> Vec<Setting> {
    let command = Cli::command();
    let Ok(matches) = command.clone().try_get_matches_from(std::env::args_os()) else { return Vec::new() };
    let Some((verb, matches)) = matches.subcommand() else { return Vec::new() };
    let Some(command) = command.find_subcommand(verb) else { return Vec::new() };
    command.get_arguments().filter_map(|arg| setting(arg, matches)).collect()
}

/// The same of `dev`, which the console tells how to sign in.
pub(crate) fn of_dev() -> Vec<Setting> {
    let mode = Setting { name: "mode".to_owned(), value: "dev".to_owned(), source: "verb".to_owned() };
    std::iter::once(mode).chain(settings()).collect()
}

fn setting(arg: &Arg, matches: &ArgMatches) -> Option<Setting> {
    let name = arg.get_long().filter(|name| !matches!(*name, "help" | "version"))?;
    let id = arg.get_id().as_str();
    let values: Vec<String> = match matches.try_get_raw(id) {
        Ok(Some(values)) => values.map(|value| shown(&value.to_string_lossy())).collect(),
        _ => Vec::new(),
    };
    let source = match matches.value_source(id) {
        Some(ValueSource::CommandLine) => format!("--{name}"),
        Some(ValueSource::EnvVariable) => {
            arg.get_env().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
        }
        Some(_) => "default".to_owned(),
        None => "–".to_owned(),
    };
    Some(Setting { name: name.to_owned(), value: values.join(","), source })
}

/// Without a login, where it is a URL that has one.
fn shown(value: &str) -> String {
    match value.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.split_once('@')?.1))) {
        Some((scheme, rest)) => format!("{scheme}://…@{rest}"),
        None => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_login_is_shown() {
        assert_eq!(shown("postgres://a:secret@db/shop"), "postgres://…@db/shop");
        assert_eq!(shown("https://tsa.example/stamp"), "https://tsa.example/stamp");
        assert_eq!(shown("127.0.0.1:8080"), "127.0.0.1:8080");
    }
}
