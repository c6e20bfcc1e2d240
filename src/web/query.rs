//! The queries of addresses, parsed once.

use serde::Deserialize;
use sview_model::{Parameters, Period, Request, ResourceName, Subject};
use utoipa::IntoParams;

use super::schemas;
use super::session::Session;
use crate::http::problem::Problem;

/// The parameters of resources, as they are named in addresses.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ResourceQuery {
    /// How far back; a week when it is not told.
    #[param(value_type = Option<schemas::PeriodName>)]
    period: Option<String>,
    /// An IPv4 or IPv6 address, for what is about one attacker.
    ip: Option<String>,
    /// A password as it was typed, for what is about one.
    password: Option<String>,
}

impl ResourceQuery {
    /// The period; the default one when none is named.
    fn period(&self) -> Result<Period, Problem> {
        let Some(text) = self.period.as_deref() else { return Ok(Period::default()) };
        text.parse().map_err(|error| Problem::expected("There is no such period", error))
    }

    /// The request for a resource. Device tokens come from the session alone.
    pub(super) fn request(&self, name: &str, session: &Session) -> Result<Request, Problem> {
        let resource: ResourceName =
            name.parse().map_err(|error| Problem::expected("There is no such resource", error))?;
        // Ignored, it would give an answer about everything to a client that asks about one.
        let stray = [
            ("ip", self.ip.is_some() && resource.subject != Subject::Attacker),
            ("password", self.password.is_some() && resource.subject != Subject::Password),
        ];
        if let Some((name, _)) = stray.iter().find(|(_, stray)| *stray) {
            return Err(Problem::expected(format!("{resource} has no parameter {name}"), taken(resource)));
        }
        let parameters = match resource.subject {
            Subject::Everything => Parameters::None,
            Subject::Attacker => {
                let text = self.ip.as_deref().unwrap_or_default();
                let ip = text.parse().map_err(|_| {
                    Problem::expected("That is no address", "ip, an IPv4 or IPv6 address like 192.0.2.1 or 2001:db8::1")
                })?;
                Parameters::Ip(ip)
            }
            Subject::Password => {
                let text = self.password.clone();
                Parameters::Password(text.ok_or_else(|| Problem::expected("A password is missing", "password=…"))?)
            }
            Subject::Devices => Parameters::Devices(session.tokens().to_vec()),
        };
        Request::new(resource, self.period()?, parameters)
            .map_err(|error| Problem::expected("The parameters do not fit", error))
    }
}

/// The parameters that a resource has.
pub(super) fn taken(resource: ResourceName) -> &'static str {
    match resource.subject {
        Subject::Everything => "period",
        Subject::Attacker => "period, ip",
        Subject::Password => "period, password",
        Subject::Devices => "period, and token at /api/resource",
    }
}
