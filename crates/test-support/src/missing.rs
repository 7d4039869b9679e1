//! Tests that need what is not everywhere.

/// Says what a test did not find and the command that brings it, and the test passes; in continuous integration it fails.
pub fn skip(missing: &str, command: &str) {
    assert!(std::env::var_os("CI").is_none(), "{missing}: {command}");
    #[expect(clippy::print_stdout, reason = "whoever ran the tests has to see it")]
    {
        println!("skipped: {missing} ({command})");
    }
}
