//! Certificates as operators get them, by openssl; and what a server shows.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::{players, tools};

/// A certificate and its key, in PEM files.
#[derive(Debug, Clone)]
pub struct Certificate {
    pub chain: PathBuf,
    pub key: PathBuf,
}

impl Certificate {
    /// Makes `name.pem` and `name.key` for these host names, or makes them anew.
    pub fn make(folder: &Path, name: &str, hosts: &[&str]) -> Self {
        let [chain, key] = ["pem", "key"].map(|it| folder.join(format!("{name}.{it}")));
        let names: Vec<_> = hosts.iter().map(|host| format!("DNS:{host}")).collect();
        let names = format!("subjectAltName={}", names.join(","));
        let subject = format!("/CN={name}");
        let [chain_file, key_file] = [&chain, &key].map(|it| it.display().to_string());
        let arguments = [
            &[
                "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "90",
            ][..],
            &["-subj", &subject, "-addext", &names],
            &["-keyout", &key_file, "-out", &chain_file],
        ];
        players::run(tools::tool("openssl"), &arguments.concat()).good("openssl req");
        Self { chain, key }
    }

    /// Its entry in the configuration.
    pub fn entry(&self) -> String {
        let (chain, key) = (self.chain.display(), self.key.display());
        format!("[[certificate]]\nchain = '{chain}'\nprivate_key = '{key}'\n")
    }
}

/// The common name of what is shown to `openssl s_client` with these arguments, and the version of
/// TLS that was agreed on.
pub fn shown(address: SocketAddr, arguments: &[&str]) -> (String, String) {
    let address = address.to_string();
    let begin = ["s_client", "-connect", &address];
    let all = [&begin[..], arguments].concat();
    // It reads the end of its input and leaves at once.
    let outcome = players::run(tools::tool("openssl"), &all);
    let said = String::from_utf8_lossy(&outcome.stdout).into_owned();
    let word = |mark: &str, end: &[char]| {
        let (_, rest) = said.split_once(mark)?;
        Some(rest.split(end).next()?.trim().to_owned())
    };
    let subject = word("subject=CN = ", &['\n']);
    let version = word("New, ", &[',']);
    let (Some(subject), Some(version)) = (subject, version) else {
        panic!("openssl {all:?} said:\n{said}{}", outcome.stderr);
    };
    (subject, version)
}
