//! Amazon's own clients, pointed at a server: the command line, and the Python library.

use std::net::SocketAddr;
use std::process::{Command, Output};

use super::signing::{KEY_ID, SECRET};
use super::tools;

/// What a client said.
#[derive(Debug)]
pub struct Said {
    pub ok: bool,
    pub stdout: String,
    pub stderr: String,
}

impl Said {
    /// Its output, if it ended well.
    pub fn good(self) -> String {
        assert!(self.ok, "{}{}", self.stdout, self.stderr);
        self.stdout
    }

    /// A value of its output, which is JSON.
    pub fn json(self) -> serde_json::Value {
        let text = self.good();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }
}

/// `aws cloudfront ARGUMENTS` with the operator's key.
pub fn cli(api: SocketAddr, arguments: &[&str]) -> Said {
    let endpoint = format!("http://{api}");
    let mut command = Command::new(tools::venv("aws"));
    command.args(["--endpoint-url", &endpoint, "--region", "eu-west-1"]);
    command
        .args(["--output", "json", "cloudfront"])
        .args(arguments);
    run(&mut command)
}

/// A Python script with `boto3`: its arguments are the endpoint and `arguments`.
pub fn python(api: SocketAddr, script: &str, arguments: &[&str]) -> Said {
    let endpoint = format!("http://{api}");
    let mut command = Command::new(tools::venv("python"));
    command.args(["-c", script, &endpoint]).args(arguments);
    run(&mut command)
}

fn run(command: &mut Command) -> Said {
    // Nothing of the caller's own set-up may leak in, and nothing may be asked of any network.
    let nowhere = tools::root().join("none");
    command
        .env_remove("AWS_PROFILE")
        .env_remove("AWS_SESSION_TOKEN")
        .env("AWS_CONFIG_FILE", &nowhere)
        .env("AWS_SHARED_CREDENTIALS_FILE", &nowhere)
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_MAX_ATTEMPTS", "1")
        .env("AWS_ACCESS_KEY_ID", KEY_ID)
        .env("AWS_SECRET_ACCESS_KEY", SECRET);
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().expect("a client of the API");
    Said {
        ok: status.success(),
        stdout: String::from_utf8_lossy(&stdout).into_owned(),
        stderr: String::from_utf8_lossy(&stderr).into_owned(),
    }
}
