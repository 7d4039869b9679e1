//! Makes a constant of every file under `sql/`, so that the name of a query that is not there does not compile.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

fn main() {
    let sql = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sql");
    for dir in ["bench", "citus", "migrations", "queries", "roles", "setup"] {
        println!("cargo::rerun-if-changed={}", sql.join(dir).display());
    }
    let mut code = String::new();
    let mut all = String::new();
    for dir in entries(&sql.join("queries")).into_iter().filter(|path| path.is_dir()) {
        let owner = name(&dir);
        let files = sql_files(&dir);
        if files.is_empty() {
            continue;
        }
        let _ = writeln!(
            code,
            "/// The queries of `{owner}`.\npub mod {} {{\nuse super::Query;",
            owner.replace('-', "_")
        );
        for file in files {
            let query = name(&file);
            let constant = query.to_uppercase();
            let path = format!("queries/{owner}/{query}.sql");
            let _ = writeln!(
                code,
                "/// `{path}`\npub const {constant}: Query = Query::new(\"{owner}/{query}\", {});",
                include(&path)
            );
            let _ = writeln!(all, "{}::{constant},", owner.replace('-', "_"));
        }
        code.push_str("}\n");
    }
    let _ = writeln!(code, "static ALL: &[Query] = &[\n{all}];");
    code.push_str("/// Of no schema of ours: what `counterfoil bench` compares with.\npub mod bench {\nuse super::Query;\n");
    for file in sql_files(&sql.join("bench")) {
        let (query, path) = (name(&file), format!("bench/{}.sql", name(&file)));
        let constant = query.to_uppercase();
        let _ = writeln!(
            code,
            "/// `{path}`\npub const {constant}: Query = Query::new(\"bench/{query}\", {});",
            include(&path)
        );
    }
    code.push_str("}\n");
    for dir in ["citus", "migrations", "roles", "setup"] {
        let _ = writeln!(code, "pub(crate) static {}: &[Query] = &[", dir.to_uppercase());
        for file in sql_files(&sql.join(dir)) {
            let file = name(&file);
            let _ = writeln!(code, "Query::new(\"{file}\", {}),", include(&format!("{dir}/{file}.sql")));
        }
        code.push_str("];\n");
    }
    // Unwrap safety: a build script that cannot write stops the build, and says why.
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("Cargo sets OUT_DIR for build scripts"));
    fs::write(out.join("sql.rs"), code).expect("the build directory can be written");
}

fn include(path: &str) -> String {
    format!("include_str!(concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/../../sql/{path}\"))")
}

fn entries(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

fn sql_files(dir: &Path) -> Vec<PathBuf> {
    entries(dir)
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "sql"))
        .collect()
}

/// The name without its extension. It becomes an identifier, so an odd one stops here, where it can be explained.
fn name(path: &Path) -> String {
    let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    assert!(name.chars().all(plain), "sql/: {name} is not in lower case letters, digits and underscores");
    name
}
