//! The certificates of the ports: read at the start, followed until the end.

use std::sync::Arc;

use rustls::ServerConfig;
use tokio_util::task::AbortOnDropHandle;

use super::ServerError;
use crate::config::Settings;
use crate::net::tls::{CertificateFiles, Tls};
use crate::telemetry::metrics::{Metrics, Readings};

/// What there is of certificates.
#[derive(Debug)]
pub(super) struct Certificates {
    api: Option<Tls>,
    players: Option<Tls>,
    _following: Vec<AbortOnDropHandle<()>>,
}

impl Certificates {
    /// Reads them, and follows their files until it is dropped.
    pub(super) fn load(settings: &Settings) -> Result<Self, ServerError> {
        let api = settings.api.tls();
        let api = api.map(|(chain, key)| CertificateFiles::new(chain, key));
        let api = load("api.certificate, api.private_key", api.as_slice())?;
        let players = load("[[certificate]]", &settings.certificates)?;
        let following = api.iter().chain(&players).map(Tls::follow);
        let _following = following
            .collect::<Result<_, _>>()
            .map_err(ServerError::Follow)?;
        Ok(Self {
            api,
            players,
            _following,
        })
    }

    /// For the port of the API.
    pub(super) fn of_api(&self) -> Option<Arc<ServerConfig>> {
        self.api.as_ref().map(|tls| Arc::clone(tls.config()))
    }

    /// For the ports of players and browsers.
    pub(super) fn of_players(&self) -> Option<Arc<ServerConfig>> {
        self.players.as_ref().map(|tls| Arc::clone(tls.config()))
    }

    /// Shows how long they are good for.
    pub(super) fn metrics(&self, metrics: &mut Metrics) {
        let all: Vec<_> = self.api.iter().chain(&self.players).cloned().collect();
        if all.is_empty() {
            return;
        }
        let left = move || all.iter().map(Tls::left).min().unwrap_or_default();
        metrics.add(Readings::gauge(
            "streamfront_certificate_expiry_seconds",
            "Time until the first of the certificates ends; 0 where it has.",
            move || left().as_secs_f64(),
        ));
    }
}

fn load(key: &'static str, files: &[CertificateFiles]) -> Result<Option<Tls>, ServerError> {
    let tls = (!files.is_empty()).then(|| Tls::load(files));
    tls.transpose()
        .map_err(|cause| ServerError::Tls { key, cause })
}
