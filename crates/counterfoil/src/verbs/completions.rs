//! `completions`: what a shell needs to complete verbs and options.

use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};

use crate::cli::Cli;
use crate::exit::Exit;
use crate::output;

/// Print what a shell needs to complete verbs and options.
#[derive(Debug, Args)]
#[command(after_help = "\
Packages put it where shells look by themselves: /usr/share/bash-completion/completions/counterfoil,
/usr/share/zsh/vendor-completions/_counterfoil, /usr/share/fish/vendor_completions.d/counterfoil.fish.

Examples:
  counterfoil completions bash > ~/.local/share/bash-completion/completions/counterfoil
  counterfoil completions zsh > ~/.zfunc/_counterfoil
  counterfoil completions fish > ~/.config/fish/completions/counterfoil.fish")]
pub(crate) struct Completions {
    /// For which shell
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(self) -> anyhow::Result<Exit> {
        let mut text = Vec::new();
        generate(self.shell, &mut Cli::command(), "counterfoil", &mut text);
        output::bytes(&text)?;
        Ok(Exit::Ok)
    }
}
