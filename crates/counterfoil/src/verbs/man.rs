//! `man`: the manual pages, made from the help texts.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Command, CommandFactory};
use clap_mangen::roff::{Roff, bold, roman};

use crate::cli::{Cli, EXAMPLES, EXIT_CODES};
use crate::exit::Exit;
use crate::output;

/// Write the manual pages.
#[derive(Debug, Args)]
#[command(after_help = "\
With a folder one page for each verb is written into it, as counterfoil-orders-list.1; without one the first page is printed.

Examples:
  counterfoil man | man -l -
  counterfoil man ~/.local/share/man/man1")]
pub(crate) struct Man {
    /// The folder; made where it is not there
    dir: Option<PathBuf>,
}

impl Man {
    pub(crate) fn run(self) -> anyhow::Result<Exit> {
        let pages = pages()?;
        let Some(dir) = self.dir else {
            let first = pages.first().context("there is no page")?;
            output::bytes(&first.1)?;
            return Ok(Exit::Ok);
        };
        std::fs::create_dir_all(&dir).with_context(|| dir.display().to_string())?;
        for (name, page) in &pages {
            let file = dir.join(name);
            std::fs::write(&file, page).with_context(|| file.display().to_string())?;
        }
        output::note(&format!("{} pages are in {}.", pages.len(), dir.display()));
        Ok(Exit::Ok)
    }
}

/// Each page with the name of its file; the program's own first.
fn pages() -> std::io::Result<Vec<(String, Vec<u8>)>> {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    let mut pages = Vec::new();
    add(&command, None, &mut pages)?;
    Ok(pages)
}

fn add(command: &Command, above: Option<&str>, pages: &mut Vec<(String, Vec<u8>)>) -> std::io::Result<()> {
    let name = command.get_display_name().unwrap_or(command.get_name());
    pages.push((format!("{name}.1"), page(command, above)?));
    command.get_subcommands().try_for_each(|verb| add(verb, Some(name), pages))
}

fn page(command: &Command, above: Option<&str>) -> std::io::Result<Vec<u8>> {
    let man = clap_mangen::Man::new(command.clone()).manual("Counterfoil");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    let (prose, examples) = parts(command);
    page.write_all(prose.to_roff().as_bytes())?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    for section in [exit_status(), examples, see_also(above)] {
        page.write_all(section.to_roff().as_bytes())?;
    }
    Ok(page)
}

/// What the help text says before its examples, and those.
fn parts(command: &Command) -> (Roff, Roff) {
    let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let (before, lines) = help.split_once(EXAMPLES).unwrap_or((&help, ""));
    let mut prose = Roff::new();
    for paragraph in before.split("\n\n").map(|text| text.trim_end_matches('\n')) {
        // It has a section of its own.
        if !paragraph.trim().is_empty() && !paragraph.starts_with(EXIT_CODES) {
            prose.control("PP", []);
            add_lines(&mut prose, paragraph);
        }
    }
    let mut examples = Roff::new();
    if !lines.trim().is_empty() {
        examples.control("SH", ["EXAMPLES"]).control("nf", []);
        for line in lines.lines().filter(|line| !line.trim().is_empty()) {
            examples.text([roman(line)]);
        }
        examples.control("fi", []);
    }
    (prose, examples)
}

/// Lines that stand indented are a table: they stay lines.
fn add_lines(prose: &mut Roff, paragraph: &str) {
    let mut in_table = false;
    for line in paragraph.lines() {
        let is_row = line.starts_with(' ');
        if is_row != in_table {
            prose.control(if is_row { "nf" } else { "fi" }, []);
            in_table = is_row;
        }
        prose.text([roman(line)]);
    }
    if in_table {
        prose.control("fi", []);
    }
}

fn exit_status() -> Roff {
    let mut section = Roff::new();
    section.control("SH", ["EXIT STATUS"]);
    for exit in Exit::ALL {
        section.control("TP", ["4"]).text([bold(exit.code().to_string())]).text([roman(exit.meaning())]);
    }
    section
}

fn see_also(above: Option<&str>) -> Roff {
    let mut section = Roff::new();
    if let Some(above) = above {
        section.control("SH", ["SEE ALSO"]).text([bold(above), roman("(1)")]);
    }
    section
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verb_has_a_page_with_its_examples_and_what_each_exit_code_means() {
        let pages = pages().unwrap();
        assert!(pages.len() > 70, "only {} pages", pages.len());
        for (name, page) in &pages {
            let page = String::from_utf8(page.clone()).unwrap();
            for part in [".TH", ".SH NAME", ".SH SYNOPSIS", ".SH \"EXIT STATUS\"", "cannot be had now"] {
                assert!(page.contains(part), "{name} lacks {part}:\n{page}");
            }
            let is_group = page.contains(".SH SUBCOMMANDS");
            assert!(is_group || page.contains(".SH EXAMPLES"), "{name} has no examples");
            assert!(!page.contains("Examples:"), "{name} has them twice");
        }
        let names: Vec<&str> = pages.iter().map(|(name, _)| name.as_str()).collect();
        assert!(
            names.contains(&"counterfoil.1") && names.contains(&"counterfoil-orders-list.1"),
            "{names:?}"
        );
    }
}
