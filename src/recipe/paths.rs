//! Paths of a recipe: `~`, `${NAME}` and `${NAME:-default}` filled in, then made absolute.

use std::path::Path;

/// `path` with variables expanded, relative to `folder`, without `.` and `..` components.
pub(crate) fn resolve(folder: &Path, path: &str) -> Result<String, String> {
    let expanded = expand(path, &|name| std::env::var(name).ok())?;
    if expanded.is_empty() {
        return Err("a path must not be empty".to_owned());
    }
    let mut clean = std::path::PathBuf::new();
    for component in folder.join(expanded).components() {
        match component {
            std::path::Component::CurDir => {}
            std::path::Component::ParentDir => {
                clean.pop();
            }
            other => clean.push(other),
        }
    }
    clean.into_os_string().into_string().map_err(|_| format!("`{path}` is not valid UTF-8"))
}

fn expand(path: &str, lookup: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = path;
    while let Some(start) = rest.find("${") {
        out.push_str(&rest[..start]);
        let body = &rest[start + 2..];
        let end = body.find('}').ok_or_else(|| format!("`{path}` has `${{` without `}}`"))?;
        let (name, default) = match body[..end].split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (&body[..end], None),
        };
        let value = lookup(name).filter(|value| !value.is_empty()).or_else(|| default.map(str::to_owned));
        out.push_str(&value.ok_or_else(|| format!("`{path}` needs the environment variable {name}, which is not set"))?);
        rest = &body[end + 1..];
    }
    out.push_str(rest);
    if out == "~" || out.starts_with("~/") {
        let home = lookup("HOME").ok_or_else(|| format!("`{path}` starts with ~, but HOME is not set"))?;
        out.replace_range(..1, &home);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup(name: &str) -> Option<String> {
        (name == "HOME").then(|| "/home/kim".to_owned())
    }

    #[test]
    fn variables_defaults_and_home() {
        assert_eq!(expand("~/a", &lookup).unwrap(), "/home/kim/a");
        assert_eq!(expand("${CARGO_HOME:-~/.cargo}/registry", &lookup).unwrap(), "/home/kim/.cargo/registry");
        assert_eq!(expand("${HOME}/x", &lookup).unwrap(), "/home/kim/x");
        assert!(expand("${NOWHERE}/x", &lookup).unwrap_err().contains("NOWHERE"));
        assert!(expand("${HOME", &lookup).is_err());
    }

    #[test]
    fn relative_paths_start_at_the_recipe() {
        assert_eq!(resolve(Path::new("/a/recipes"), "../out/./x").unwrap(), "/a/out/x");
        assert_eq!(resolve(Path::new("/a"), "/b/c").unwrap(), "/b/c");
    }
}
