//! Where PostgreSQL's programs are.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Error;

/// The oldest major version that will do.
pub const MINIMUM_MAJOR: u32 = 14;

/// A directory with `initdb` and `postgres`, and their version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binaries {
    bin: PathBuf,
    major: u32,
    version: String,
}

impl Binaries {
    /// Finds the programs: the directory that was named, else Debian's (the highest version), else Red Hat's, else what
    /// `pg_config` says, else Homebrew's, else the search path, else what [`crate::install`] put into the project.
    pub fn find(explicit: Option<&Path>, project_dir: Option<&Path>) -> Result<Self, Error> {
        if let Some(bin) = explicit {
            return Self::at(bin).map_err(|why| Error::Unusable { bin: bin.to_owned(), why });
        }
        let mut best: Option<Self> = None;
        for group in candidates(project_dir) {
            for bin in group {
                if let Ok(found) = Self::at(&bin)
                    && best.as_ref().is_none_or(|best| found.major > best.major)
                {
                    best = Some(found);
                }
            }
            // A later group is asked only when an earlier one has nothing.
            if let Some(best) = best {
                return Ok(best);
            }
        }
        let project = project_dir.map(|dir| format!(", {}", dir.join("pgbin").display())).unwrap_or_default();
        Err(Error::NotFound {
            minimum: MINIMUM_MAJOR,
            searched: format!(
                "/usr/lib/postgresql/*/bin, /usr/pgsql-*/bin, pg_config, Homebrew, the search path{project}"
            ),
        })
    }

    /// The programs of one major version, wherever a distribution or a wheel under `dir` has them.
    pub(crate) fn of_major(major: u32, dir: &Path) -> Option<Self> {
        let installed = candidates(None).into_iter().flatten().chain(installed_under(dir));
        installed.filter_map(|bin| Self::at(&bin).ok()).find(|found| found.major == major)
    }

    /// The programs in one directory, if they are all there and new enough.
    pub(crate) fn at(bin: &Path) -> Result<Self, String> {
        for program in ["initdb", "postgres"] {
            if !bin.join(program).is_file() {
                return Err(format!("there is no {program}"));
            }
        }
        let said = output(Command::new(bin.join("postgres")).arg("--version"))
            .ok_or_else(|| "postgres --version does not run".to_owned())?;
        let version = parse_version(&said).ok_or_else(|| format!("odd version: {said}"))?;
        let major = version.split('.').next().and_then(leading_number).unwrap_or(0);
        if major < MINIMUM_MAJOR {
            return Err(format!("it is version {version}, and {MINIMUM_MAJOR} or newer is needed"));
        }
        Ok(Self { bin: bin.to_owned(), major, version })
    }

    /// The directory of the programs.
    pub fn bin_dir(&self) -> &Path {
        &self.bin
    }

    /// The major version, as 15.
    pub fn major(&self) -> u32 {
        self.major
    }

    /// The whole version, as "15.18".
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The path of one program.
    pub fn program(&self, name: &str) -> PathBuf {
        self.bin.join(name)
    }
}

/// Groups of directories, the most trusted group first.
fn candidates(project_dir: Option<&Path>) -> Vec<Vec<PathBuf>> {
    let said_path = |command: &mut Command| output(command).map(|said| PathBuf::from(said.trim()));
    let config = said_path(Command::new("pg_config").arg("--bindir"));
    // Distributions link `postgres` into the search path and leave its neighbours out, so links are followed.
    let on_path = said_path(Command::new("sh").args(["-c", "command -v postgres || command -v pg_ctl"]))
        .and_then(|program| program.canonicalize().ok())
        .and_then(|program| Some(program.parent()?.to_owned()));
    vec![
        children(Path::new("/usr/lib/postgresql"), "", "bin"),
        children(Path::new("/usr"), "pgsql-", "bin"),
        config.into_iter().collect(),
        children(Path::new("/opt/homebrew/opt"), "postgresql@", "bin"),
        on_path.into_iter().collect(),
        project_dir.map(|dir| installed_under(&dir.join("pgbin"))).unwrap_or_default(),
    ]
}

/// `bin` directories at most four levels below the directory into which wheels are unpacked.
pub(crate) fn installed_under(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut level = vec![dir.to_owned()];
    for _ in 0..5 {
        found.extend(level.iter().map(|dir| dir.join("bin")).filter(|bin| bin.join("initdb").is_file()));
        level = level.iter().flat_map(|dir| children(dir, "", "")).filter(|dir| dir.is_dir()).collect();
    }
    found
}

fn children(dir: &Path, prefix: &str, suffix: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
        .map(|entry| if suffix.is_empty() { entry.path() } else { entry.path().join(suffix) })
        .collect()
}

fn output(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)" is "15.18".
fn parse_version(said: &str) -> Option<String> {
    let version = said.split(')').nth(1)?.split_whitespace().next()?;
    version.starts_with(|first: char| first.is_ascii_digit()).then(|| version.to_owned())
}

/// A beta says "18beta1".
fn leading_number(text: &str) -> Option<u32> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_what_the_program_says() {
        assert_eq!(
            parse_version("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)").as_deref(),
            Some("15.18")
        );
        assert_eq!(parse_version("postgres (PostgreSQL) 18beta1").as_deref(), Some("18beta1"));
        assert_eq!(parse_version("something else"), None);
        assert_eq!(leading_number("18beta1"), Some(18));
    }

    #[test]
    fn a_directory_without_programs_is_refused_with_the_reason() {
        let error = Binaries::find(Some(Path::new("/usr/share")), None).unwrap_err();
        assert!(error.to_string().contains("there is no initdb"), "{error}");
    }
}
