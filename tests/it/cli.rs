//! The binary from the outside: help, exit codes, manual pages, completions.

use std::path::Path;
use std::process::Command;

use crate::binary::{self, TempDir, files, run, said};

/// The verbs that stand under "Commands:" of a help text.
fn verbs(help: &str) -> Vec<String> {
    let listed =
        help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names = listed.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    names
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

fn check_help(dir: &Path, verb: &[&str], seen: &mut usize) {
    let mut arguments = verb.to_vec();
    arguments.push("--help");
    let output = run(dir, &arguments);
    assert!(output.status.success(), "{verb:?}: {}", said(&output));
    let help = String::from_utf8(output.stdout).unwrap();
    let below = verbs(&help);
    assert!(!below.is_empty() || help.contains("Examples:"), "{verb:?} shows no example:\n{help}");
    *seen += 1;
    for name in &below {
        let mut deeper = verb.to_vec();
        deeper.push(name);
        check_help(dir, &deeper, seen);
    }
}

#[test]
fn every_verb_explains_itself_with_an_example() {
    let dir = TempDir::new();
    let mut seen = 0;
    check_help(dir.path(), &[], &mut seen);
    assert!(seen > 30, "only {seen} verbs were found");
}

#[test]
fn the_exit_code_says_what_is_wrong() {
    let dir = TempDir::new();
    let table: [(&[&str], i32); 5] = [
        (&["--no-such-flag"], 2),
        (&["orders", "list"], 78),
        (&["migrate"], 78),
        (&["orders", "list", "--url", "http://127.0.0.1:1", "--key-file", "key"], 69),
        (&["webhook", "translate", "no-such-file"], 2),
    ];
    std::fs::write(dir.path().join("key"), "cf_dev_x_y\n").unwrap();
    for (arguments, code) in table {
        let output = run(dir.path(), arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", said(&output));
    }
}

#[test]
fn the_version_names_the_commit_that_it_was_built_from() {
    let dir = TempDir::new();
    let output = run(dir.path(), &["--version"]);
    let version = String::from_utf8(output.stdout).unwrap();
    let head = Command::new("git").args(["rev-parse", "HEAD"]).current_dir(binary::root()).output();
    let head = head.ok().filter(|output| output.status.success());
    match head.map(|output| String::from_utf8(output.stdout).unwrap()) {
        Some(head) => assert!(version.contains(&format!("({})", &head[..12])), "{version} of {head}"),
        None => assert!(!version.contains('('), "{version} without a clone"),
    }
}

#[test]
fn every_shell_can_complete_and_bash_understands_what_it_is_given() {
    let dir = TempDir::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = run(dir.path(), &["completions", shell]);
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains("dead-letters"), "{shell}: {}", said(&output));
        if shell == "bash" {
            let file = dir.path().join("completions");
            std::fs::write(&file, &output.stdout).unwrap();
            let line = "source completions; COMP_WORDS=(counterfoil ord); COMP_CWORD=1; _counterfoil counterfoil ord counterfoil; \
                        echo ${COMPREPLY[*]}";
            let mut shell = Command::new("bash");
            let completed = shell.args(["-c", line]).current_dir(dir.path()).output().unwrap();
            assert_eq!(String::from_utf8_lossy(&completed.stdout).trim(), "orders", "{}", said(&completed));
        }
    }
}

#[test]
fn each_verb_has_a_manual_page_of_its_own() {
    let dir = TempDir::new();
    let output = run(dir.path(), &["man", "pages"]);
    assert!(output.status.success(), "{}", said(&output));
    let pages = files(&dir.path().join("pages"));
    assert!(pages.len() > 70, "{}", pages.len());
    let doctor = std::fs::read_to_string(dir.path().join("pages/counterfoil-doctor.1")).unwrap();
    assert!(doctor.contains(".SH \"EXIT STATUS\"") && doctor.contains(".SH EXAMPLES"), "{doctor}");
    let first = run(dir.path(), &["man"]);
    assert_eq!(first.stdout, std::fs::read(dir.path().join("pages/counterfoil.1")).unwrap());
}

#[test]
fn there_are_colours_only_where_they_are_wanted() {
    let dir = TempDir::new();
    let help = |variables: &[(&str, &str)]| {
        let mut command = binary::command(dir.path());
        let output = command.arg("--help").envs(variables.iter().copied()).output().unwrap();
        String::from_utf8_lossy(&output.stdout).contains('\u{1b}')
    };
    assert!(!help(&[]), "nobody watches");
    assert!(help(&[("CLICOLOR_FORCE", "1")]));
    assert!(!help(&[("NO_COLOR", "1")]));
}
