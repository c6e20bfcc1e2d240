//! One report as named fields, however the file wrote them, and its way into a batch. CSV and NDJSON share it.

use std::borrow::Cow;

use sview_model::{Action, Batch, Identity, Incident, Password, Port, Protocol, Trap};

use super::fault::Fault;
use super::field::{self, Times};
use super::notes::Notes;

/// Declares the fields: each one's place in [`Fields`] and its name in files.
macro_rules! columns {
    ($($variant:ident = $name:literal),+ $(,)?) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Column { $($variant),+ }

        impl Column {
            pub(super) const ALL: &'static [Self] = &[$(Self::$variant),+];

            pub(super) const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            pub(super) fn named(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

columns! {
    Time = "time",
    RawCount = "raw_count",
    DeviceToken = "device_token",
    Sn = "sn",
    Trap = "trap",
    Action = "action",
    Ip = "ip",
    Country = "country",
    Username = "username",
    Password = "password",
    Port = "port",
    Protocol = "protocol",
}

/// The four raw tables, as files know them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    Identity,
    Incidents,
    Passwords,
    Ports,
}

impl Table {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Incidents => "incidents",
            Self::Passwords => "passwords",
            Self::Ports => "ports",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        [Self::Identity, Self::Incidents, Self::Passwords, Self::Ports].into_iter().find(|t| t.name() == name)
    }

    /// Returns the table that has these fields, found by the fields that only it has.
    pub(super) fn guess(has: impl Fn(Column) -> bool) -> Option<Self> {
        use Column as C;
        if has(C::Trap) || has(C::Action) || has(C::Ip) {
            Some(Self::Incidents)
        } else if has(C::Username) || has(C::Password) {
            Some(Self::Passwords)
        } else if has(C::Port) || has(C::Protocol) {
            Some(Self::Ports)
        } else if has(C::DeviceToken) {
            Some(Self::Identity)
        } else {
            None
        }
    }

    /// The fields that must be there.
    pub(super) const fn required(self) -> &'static [Column] {
        use Column as C;
        match self {
            Self::Identity => &[C::DeviceToken],
            Self::Incidents => &[C::Time, C::DeviceToken, C::Trap, C::Action, C::Ip],
            Self::Passwords => &[C::Time, C::Username, C::Password],
            Self::Ports => &[C::Time, C::Port, C::Protocol],
        }
    }

    /// The fields that may be there besides.
    pub(super) const fn optional(self) -> &'static [Column] {
        use Column as C;
        match self {
            Self::Identity => &[C::Sn],
            Self::Incidents => &[C::RawCount, C::Sn, C::Country],
            Self::Passwords | Self::Ports => &[C::RawCount],
        }
    }

    /// Whether a field belongs to the table.
    pub(super) fn takes(self, column: Column) -> bool {
        self.required().contains(&column) || self.optional().contains(&column)
    }
}

/// The fields of one report, by column; `None` for an absent one.
#[derive(Debug, Default)]
pub(super) struct Fields<'a>([Option<Cow<'a, str>>; Column::ALL.len()]);

impl<'a> Fields<'a> {
    pub(super) fn has(&self, column: Column) -> bool {
        self.0[column as usize].is_some()
    }

    pub(super) fn set(&mut self, column: Column, value: Cow<'a, str>) {
        self.0[column as usize] = Some(value);
    }

    fn get(&self, column: Column) -> Result<&str, Fault> {
        self.0[column as usize].as_deref().ok_or(Fault::Missing(column.name()))
    }

    fn take(&mut self, column: Column) -> Result<Cow<'a, str>, Fault> {
        self.0[column as usize].take().ok_or(Fault::Missing(column.name()))
    }

    fn raw_count(&self) -> Result<i64, Fault> {
        self.0[Column::RawCount as usize].as_deref().map_or(Ok(1), field::raw_count)
    }

    fn identity(&self) -> Result<Identity, Fault> {
        Ok(Identity {
            sn: self.0[Column::Sn as usize].as_deref().map_or(Ok(String::new()), field::serial)?,
            device_token: field::device_token(self.get(Column::DeviceToken)?)?,
        })
    }

    /// Adds the report to the batch; on a fault the batch is as before.
    pub(super) fn store(
        mut self,
        table: Table,
        times: &Times,
        batch: &mut Batch,
        notes: &mut Notes,
    ) -> Result<(), Fault> {
        use Column as C;
        match table {
            Table::Identity => batch.identities.push(self.identity()?),
            Table::Incidents => batch.incidents.push(Incident {
                time: times.read(self.get(C::Time)?, notes)?,
                raw_count: self.raw_count()?,
                identity: self.identity()?,
                trap: field::word("trap", self.get(C::Trap)?, || list(Trap::ALL.iter().map(|w| w.as_str())))?,
                action: field::word("action", self.get(C::Action)?, || list(Action::ALL.iter().map(|w| w.as_str())))?,
                ip: field::ip(self.get(C::Ip)?)?,
                country: self.0[C::Country as usize].as_deref().map_or(Ok(None), field::country)?,
            }),
            Table::Passwords => batch.passwords.push(Password {
                time: times.read(self.get(C::Time)?, notes)?,
                raw_count: self.raw_count()?,
                username: field::text("username", self.take(C::Username)?)?,
                password: field::text("password", self.take(C::Password)?)?,
            }),
            Table::Ports => batch.ports.push(Port {
                time: times.read(self.get(C::Time)?, notes)?,
                raw_count: self.raw_count()?,
                port: field::port(self.get(C::Port)?)?,
                protocol: field::word("protocol", self.get(C::Protocol)?, || {
                    list(Protocol::ALL.iter().map(|w| w.as_str()))
                })?,
            }),
        }
        Ok(())
    }
}

fn list<'a>(words: impl Iterator<Item = &'a str>) -> String {
    words.collect::<Vec<_>>().join(", ")
}
