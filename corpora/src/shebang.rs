//! The language of a script whose name tells none: what its first line says runs it.

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Interpreters and the language they run, sorted by name.
const INTERPRETERS: &[(&str, &str)] = &[
    ("Rscript", "r"),
    ("bash", "shell"),
    ("bun", "javascript"),
    ("dash", "shell"),
    ("deno", "typescript"),
    ("elixir", "elixir"),
    ("escript", "erlang"),
    ("groovy", "groovy"),
    ("julia", "julia"),
    ("ksh", "shell"),
    ("lua", "lua"),
    ("luajit", "lua"),
    ("nix-shell", "nix"),
    ("node", "javascript"),
    ("nodejs", "javascript"),
    ("ocaml", "ocaml"),
    ("perl", "perl"),
    ("php", "php"),
    ("pwsh", "powershell"),
    ("pypy", "python"),
    ("python", "python"),
    ("ruby", "ruby"),
    ("runhaskell", "haskell"),
    ("sh", "shell"),
    ("swift", "swift"),
    ("tclsh", "tcl"),
    ("ts-node", "typescript"),
    ("wish", "tcl"),
    ("zsh", "shell"),
];

/// Bytes of a first line that are looked at.
const FIRST: usize = 256;

/// The language that the first line of these bytes names, as in `#!/usr/bin/env -S python3.11 -u`.
pub(crate) fn language(bytes: &[u8]) -> Option<&'static str> {
    let line = bytes[..bytes.len().min(FIRST)].strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let line = std::str::from_utf8(line).ok()?;
    let mut words = line.split_whitespace();
    let mut program = file_name(words.next()?);
    if program == "env" {
        program = file_name(words.find(|word| !word.starts_with('-') && !word.contains('='))?);
    }
    let program = program.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    INTERPRETERS.iter().find(|(name, _)| *name == program).map(|(_, language)| *language)
}

/// The same of a file; none where it cannot be read, which whoever reads it will say.
pub(crate) fn of_file(path: &Path) -> Option<&'static str> {
    let mut head = Vec::with_capacity(FIRST);
    File::open(path).ok()?.take(FIRST as u64).read_to_end(&mut head).ok()?;
    language(&head)
}

fn file_name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interpreters_are_known_through_paths_versions_and_env() {
        for (line, expected) in [
            ("#!/bin/sh\necho", Some("shell")),
            ("#! /usr/bin/python3 -u\n", Some("python")),
            ("#!/usr/bin/env python3.11", Some("python")),
            ("#!/usr/bin/env -S LANG=C node --harmony\n", Some("javascript")),
            ("#!/usr/bin/env\n", None),
            ("#!/opt/own-thing\n", None),
            ("#!\n", None),
            ("# python\n", None),
            ("", None),
        ] {
            assert_eq!(language(line.as_bytes()), expected, "{line:?}");
        }
        assert_eq!(language(b"#!\xff\xfe"), None);
        assert_eq!(language(&[b"#!/".as_slice(), &[b'a'; 4096]].concat()), None);
        assert!(INTERPRETERS.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert!(INTERPRETERS.iter().all(|(_, language)| crate::code::is_language(language)));
    }
}
