//! Clients in other languages: what they read is what our users will read.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::process::Command;

use crate::build_dir::{complaint, made_once, run};
use crate::missing::skip;

/// A Python that has these packages. They are got once and kept. None: skip the test, it was said why.
pub async fn python(packages: &[&str]) -> Option<PathBuf> {
    let mut packages: Vec<String> = packages.iter().map(|&package| package.to_owned()).collect();
    packages.sort();
    let mut hasher = DefaultHasher::new();
    packages.hash(&mut hasher);
    let names = packages.join(" ");
    let made = made_once(format!("test-python-{:016x}", hasher.finish()), move |dir| {
        run(Command::new("python3").args(["-m", "venv"]).arg(dir))?;
        let pip = ["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"];
        run(Command::new(dir.join("bin/python")).args(pip).args(&packages))?;
        Ok(())
    });
    match made.await {
        Ok(dir) => Some(dir.join("bin/python")),
        Err(why) => {
            let command = format!("apt-get install python3-venv && pip install {names}");
            skip(&format!("no Python with {names}: {}", complaint(&why)), &command);
            None
        }
    }
}
