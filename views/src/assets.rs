//! The files that pages load, within the program. Their names carry a hash of their content, so they may be cached for good.

use std::sync::LazyLock;

use sha2::{Digest as _, Sha256};
use sview_model::hex;

/// A file that pages load.
#[derive(Debug)]
pub struct Asset {
    /// Its address, with a hash of its content: `/assets/style-0123456789.css`.
    pub path: String,
    /// Its media type.
    pub content_type: &'static str,
    /// The content of the file.
    pub bytes: &'static [u8],
}

/// Returns all files.
#[must_use]
pub fn assets() -> &'static [Asset] {
    &*ASSETS
}

/// The style sheet.
#[must_use]
pub fn style() -> &'static Asset {
    &ASSETS[0]
}

/// Returns the script of all pages.
#[must_use]
pub fn script() -> &'static Asset {
    &ASSETS[1]
}

/// Returns the icon of the site.
#[must_use]
pub fn icon() -> &'static Asset {
    &ASSETS[2]
}

/// The icon for what asks for `/favicon.ico` by itself: the same picture, 32 pixels wide, as PNG in an ICO file. Made from the SVG.
pub const FAVICON: &[u8] = include_bytes!("../assets/favicon.ico");

/// The live page's style sheet, after [`style`].
#[must_use]
pub fn dynfw_style() -> &'static Asset {
    &ASSETS[5]
}

/// The live page's script, beside [`script`].
#[must_use]
pub fn dynfw_script() -> &'static Asset {
    &ASSETS[6]
}

/// The operators' style sheet, after [`style`].
#[must_use]
pub fn admin_style() -> &'static Asset {
    &ASSETS[3]
}

/// The operators' script, beside [`script`].
#[must_use]
pub fn admin_script() -> &'static Asset {
    &ASSETS[4]
}

/// The script of the password checker, beside [`script`].
#[must_use]
pub fn passcheck_script() -> &'static Asset {
    &ASSETS[7]
}

static ASSETS: LazyLock<[Asset; 8]> = LazyLock::new(|| {
    [
        asset("style", "css", "text/css; charset=utf-8", include_bytes!("../assets/style.css")),
        asset("app", "js", "text/javascript; charset=utf-8", include_bytes!("../assets/app.js")),
        asset("icon", "svg", "image/svg+xml", include_bytes!("../assets/icon.svg")),
        asset("admin", "css", "text/css; charset=utf-8", include_bytes!("../assets/admin.css")),
        asset("admin", "js", "text/javascript; charset=utf-8", include_bytes!("../assets/admin.js")),
        asset("dynfw", "css", "text/css; charset=utf-8", include_bytes!("../assets/dynfw.css")),
        asset("dynfw", "js", "text/javascript; charset=utf-8", include_bytes!("../assets/dynfw.js")),
        asset("passcheck", "js", "text/javascript; charset=utf-8", include_bytes!("../assets/passcheck.js")),
    ]
});

fn asset(stem: &str, extension: &str, content_type: &'static str, bytes: &'static [u8]) -> Asset {
    let hash = hex(&Sha256::digest(bytes));
    Asset { path: format!("/assets/{stem}-{}.{extension}", &hash[..10]), content_type, bytes }
}
