//! What the headers of the Tracy that is built in say of its protocol.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Command;

/// Where fields lie: name, place, bytes.
type Fields = Vec<(String, usize, usize)>;

/// The protocol.
pub struct Header {
    pub shibboleth: String,
    pub version: u32,
    pub frame_bytes: usize,
    /// Kinds of items, by number.
    pub kinds: Vec<String>,
    /// What follows the number of each kind: a structure's name, and its bytes.
    pub layouts: Vec<(String, usize)>,
    structures: HashMap<String, Fields>,
    /// Numbers by name: of queries, states of the handshake, flags.
    numbers: HashMap<String, u64>,
}

/// The source of Tracy that cargo builds.
fn folder() -> PathBuf {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version=1",
            "--locked",
            "--all-features",
        ])
        .arg(format!(
            "--filter-platform={}-unknown-linux-gnu",
            std::env::consts::ARCH
        ))
        .arg("--manifest-path")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .output()
        .expect("cargo");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    let packages = String::from_utf8(output.stdout).expect("text");
    let manifests = packages.split("\"manifest_path\":\"").skip(1);
    let mut paths = manifests.filter_map(|rest| rest.split('"').next());
    let manifest = paths.find(|path| path.contains("/tracy-client-sys-"));
    PathBuf::from(manifest.expect("tracy-client-sys is built in")).with_file_name("tracy/common")
}

/// A file's text without comments.
fn source(name: &str) -> String {
    let path = folder().join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path:?}: {e}"));
    let lines = text.lines().map(|line| line.split("//").next().unwrap());
    lines.collect::<Vec<_>>().join("\n")
}

/// What stands between the braces behind `begin`.
fn body<'a>(source: &'a str, begin: &str) -> &'a str {
    let from = source.find(begin).unwrap_or_else(|| panic!("no {begin}"));
    let from = from + source[from..].find('{').expect("a brace") + 1;
    &source[from..from + source[from..].find('}').expect("a brace")]
}

/// The names of an enumeration, with their numbers where they are given.
fn names(body: &str) -> Vec<(String, u64)> {
    let mut next = 0;
    let entries = body.split(',').map(str::trim).filter(|e| !e.is_empty());
    entries
        .map(|entry| {
            let (name, given) = entry.split_once('=').unwrap_or((entry, ""));
            let given = match given.trim().split_once("<<") {
                Some((one, by)) => {
                    let [one, by] = [one, by].map(|n| n.trim().parse::<u64>().unwrap());
                    one << by
                }
                None => given.trim().parse().unwrap_or(next),
            };
            next = given + 1;
            (name.trim().to_owned(), given)
        })
        .collect()
}

/// The number that a constant is given, a product of numbers.
fn constant(source: &str, name: &str) -> u64 {
    let begin = format!(" {name} = ");
    let from = source.find(&begin).unwrap_or_else(|| panic!("no {name}")) + begin.len();
    let value = source[from..].split(';').next().unwrap();
    value
        .split('*')
        .map(|part| part.trim().parse::<u64>().unwrap())
        .product()
}

fn bytes_of(kind: &str, source: &str) -> usize {
    match kind {
        "char" | "int8_t" | "uint8_t" => 1,
        "uint16_t" => 2,
        "float" | "int32_t" | "uint32_t" => 4,
        "double" | "int64_t" | "uint64_t" | "TaggedUserlandAddress" => 8,
        named => {
            let at = ["enum class", "enum"].iter().find_map(|word| {
                let begin = format!("{word} {named} : ");
                source.find(&begin).map(|at| at + begin.len())
            });
            let at = at.unwrap_or_else(|| panic!("what is a {named}?"));
            bytes_of(source[at..].split_whitespace().next().unwrap(), source)
        }
    }
}

/// The packed structures of a file.
fn structures(source: &str, into: &mut HashMap<String, Fields>) {
    for piece in source.split("\nstruct ").skip(1) {
        let (head, rest) = piece.split_once('{').expect("a brace");
        let (name, base) = head.split_once(':').unwrap_or((head, ""));
        let base = base.trim().trim_start_matches("public ");
        let mut fields = into.get(base).cloned().unwrap_or_default();
        let mut at = fields.last().map_or(0, |(_, at, bytes)| at + bytes);
        let body = rest.split("};").next().unwrap();
        if body.contains('{') {
            continue;
        }
        for line in body.split(';').map(str::trim).filter(|l| !l.is_empty()) {
            let (kind, name) = line.split_once(char::is_whitespace).expect("type and name");
            let (name, many) = name.trim().split_once('[').unwrap_or((name.trim(), "1]"));
            let many = many.trim_end_matches(']');
            let many = many
                .parse()
                .unwrap_or_else(|_| constant(source, many) as usize);
            // A union's parts, or a static member.
            let bytes = bytes_of(kind, source) * many;
            fields.push((name.to_owned(), at, bytes));
            at += bytes;
        }
        into.insert(name.trim().to_owned(), fields);
    }
}

impl Header {
    pub fn read() -> Header {
        let protocol = source("TracyProtocol.hpp");
        let queue = source("TracyQueue.hpp");
        let mut all = HashMap::new();
        structures(&packed(&protocol), &mut all);
        structures(&packed(&queue), &mut all);
        let mut numbers = HashMap::new();
        for begin in ["enum ServerQuery :", "enum HandshakeStatus :", "enum _t :"] {
            numbers.extend(names(body(&protocol, begin)));
        }
        let kinds = names(body(&queue, "enum class QueueType :"));
        let kinds: Vec<String> = kinds.into_iter().map(|(name, _)| name).collect();
        let sizes = body(&queue, "QueueDataSize[] =");
        let layouts: Vec<(String, usize)> = sizes
            .split(',')
            .map(str::trim)
            .filter(|entry| !entry.is_empty())
            .map(|entry| {
                let mut parts = entry.split("sizeof( ").skip(1);
                assert!(parts.next().unwrap().starts_with("QueueHeader "));
                let of = parts
                    .next()
                    .map_or("", |part| part.split(' ').next().unwrap());
                let fields = all.get(of).map_or(&[][..], Vec::as_slice);
                let bytes = fields.last().map_or(0, |(_, at, bytes)| at + bytes);
                assert!(of.is_empty() || bytes > 0, "{of}");
                (of.to_owned(), bytes)
            })
            .collect();
        assert_eq!(kinds.len(), layouts.len() + 1, "one is their number");
        Header {
            shibboleth: body(&protocol, "HandshakeShibboleth[")
                .split('\'')
                .filter(|part| part.len() == 1 && *part != " ")
                .collect(),
            version: constant(&protocol, "ProtocolVersion") as u32,
            frame_bytes: constant(&protocol, "TargetFrameSize") as usize,
            kinds,
            layouts,
            structures: all,
            numbers,
        }
    }

    fn number(&self, name: &str) -> u64 {
        self.numbers[name]
    }

    pub fn query(&self, name: &str) -> u8 {
        self.number(name) as u8
    }

    pub fn status(&self, name: &str) -> u8 {
        self.number(name) as u8
    }

    pub fn flag(&self, name: &str) -> u64 {
        self.number(name)
    }

    pub fn size(&self, structure: &str) -> usize {
        let last = self.structures[structure].last().expect("fields");
        last.1 + last.2
    }

    pub fn fields<'a>(&'a self, structure: &str, bytes: &'a [u8]) -> Values<'a> {
        let fields = self.structures.get(structure);
        Values {
            fields: fields.map_or(&[], Vec::as_slice),
            bytes,
        }
    }
}

/// The part of a header in which structures are packed, but for the one that is a union.
fn packed(source: &str) -> String {
    let from = source.find("#pragma pack( push, 1 )").expect("packed");
    let to = source.find("#pragma pack( pop )").expect("packed");
    let constants: String = source[..from]
        .lines()
        .filter(|line| line.contains("constexpr size_t"))
        .map(|line| format!("{line}\n"))
        .collect();
    let part = &source[from..to];
    constants + part.split("\nstruct QueueHeader").next().unwrap()
}

/// A structure's values.
pub struct Values<'a> {
    fields: &'a [(String, usize, usize)],
    bytes: &'a [u8],
}

impl Values<'_> {
    fn of(&self, name: &str) -> &[u8] {
        let field = self.fields.iter().find(|(field, ..)| field == name);
        let (_, at, bytes) = field.unwrap_or_else(|| panic!("no field {name}"));
        &self.bytes[*at..at + bytes]
    }

    pub fn number(&self, name: &str) -> u64 {
        number(self.of(name))
    }

    pub fn text(&self, name: &str) -> String {
        let bytes = self.of(name).split(|byte| *byte == 0).next().unwrap();
        String::from_utf8_lossy(bytes).into_owned()
    }

    pub fn numbers(&self) -> HashMap<String, u64> {
        let known = |(name, at, bytes): &(String, usize, usize)| {
            (name.clone(), number(&self.bytes[*at..at + bytes]))
        };
        self.fields.iter().map(known).collect()
    }
}

/// The number in the first eight bytes.
fn number(bytes: &[u8]) -> u64 {
    let mut number = [0; 8];
    let length = bytes.len().min(8);
    number[..length].copy_from_slice(&bytes[..length]);
    u64::from_le_bytes(number)
}
