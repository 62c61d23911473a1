// SPDX-License-Identifier: MIT OR Apache-2.0

//! The time that everything carries.

use std::num::ParseIntError;
use std::time::SystemTime;

use super::Failure;
use crate::refusal::Refusal;

/// The time that everything carries when `SOURCE_DATE_EPOCH` is not set: the day of this version,
/// 2026-11-23, in seconds since 1970.
const VERSION_DATE: u32 = 1_795_392_000;

pub(super) fn source_date_epoch() -> Result<u32, Failure> {
    match std::env::var("SOURCE_DATE_EPOCH") {
        Err(std::env::VarError::NotPresent) => Ok(VERSION_DATE),
        Ok(text) => text
            .parse()
            .map_err(|error: ParseIntError| bad_epoch(&text).because(error).into()),
        Err(std::env::VarError::NotUnicode(text)) => Err(bad_epoch(&text.to_string_lossy()).into()),
    }
}

fn bad_epoch(text: &str) -> Refusal {
    Refusal::new(
        format!("SOURCE_DATE_EPOCH is \"{}\"", text.escape_debug()),
        format!(
            "it is a number of seconds since 1970, from 0 to {} \
             (https://reproducible-builds.org/specs/source-date-epoch/)",
            u32::MAX
        ),
        format!("write a number such as {VERSION_DATE}, or unset it"),
    )
}

/// A package from the future is refused by dom0, and the `rpm` crate would write the present time
/// into it instead, which is another one each time.
pub(super) fn not_in_the_future(epoch: u32) -> Result<(), Failure> {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    if u64::from(epoch) <= now {
        return Ok(());
    }
    Err(Refusal::new(
        format!("the packages' time, {epoch}, is in the future: the clock says {now}"),
        format!(
            "packages carry SOURCE_DATE_EPOCH, or the day of this version, {VERSION_DATE}, in \
             seconds since 1970"
        ),
        "write an earlier SOURCE_DATE_EPOCH, or set the clock",
    )
    .into())
}
