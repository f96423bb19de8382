//! As much of a Cargo.toml as the rules need: the package's name and the names it depends on.

/// What a manifest says about imports.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    pub name: String,
    /// `[dependencies]` and `[target.….dependencies]`, with their lines.
    pub normal: Vec<(String, usize)>,
    pub build: Vec<(String, usize)>,
    pub dev: Vec<(String, usize)>,
    pub inherits_lints: bool,
}

impl Manifest {
    pub fn parse(text: &str) -> Self {
        let mut manifest = Self::default();
        let mut section = String::new();
        for (at, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or("").trim();
            if let Some(header) = line.strip_prefix('[') {
                section = header.trim_end_matches(']').trim_matches('[').to_owned();
                // `[dependencies.name]` names its dependency in the header.
                if let Some((table, name)) = section.rsplit_once('.')
                    && let Some(list) = manifest.table(table)
                {
                    list.push((name.to_owned(), at + 1));
                }
                continue;
            }
            let Some((key, value)) = line.split_once('=') else {
                continue;
            };
            let key = key.trim().trim_matches('"');
            // `name.workspace = true` is the short form of a table.
            let name = key.split('.').next().unwrap_or(key).to_owned();
            if section == "package" && key == "name" {
                manifest.name = value.trim().trim_matches('"').to_owned();
            } else if section == "lints" && key == "workspace" {
                manifest.inherits_lints = value.trim() == "true";
            } else if let Some(list) = manifest.table(&section.clone()) {
                list.push((name, at + 1));
            }
        }
        manifest
    }

    fn table(&mut self, section: &str) -> Option<&mut Vec<(String, usize)>> {
        match section.rsplit('.').next()? {
            "dependencies" if !section.starts_with("workspace") => Some(&mut self.normal),
            "build-dependencies" => Some(&mut self.build),
            "dev-dependencies" => Some(&mut self.dev),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_ways_to_write_a_dependency() {
        let manifest = Manifest::parse(
            "[package]\nname = \"p\" # the name\n[dependencies]\na = \"1\"\nb.workspace = true\n\
             [dependencies.c]\nversion = \"1\"\n[target.'cfg(unix)'.dependencies]\nd = { path = \"d\" }\n\
             [dev-dependencies]\ne = \"1\"\n[build-dependencies]\nf = \"1\"\n[lints]\nworkspace = true\n",
        );
        let names = |list: &[(String, usize)]| {
            list.iter()
                .map(|(n, l)| format!("{n}@{l}"))
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(manifest.name, "p");
        assert_eq!(names(&manifest.normal), "a@4 b@5 c@6 d@9");
        assert_eq!(names(&manifest.dev), "e@11");
        assert_eq!(names(&manifest.build), "f@13");
        assert!(manifest.inherits_lints);
    }
}
