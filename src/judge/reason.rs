//! Reason codes. They are stable, and `docs/verdicts.md` documents each once.

use std::{fmt, str::FromStr};

use crate::image::{MESSAGE_BYTES, clip};

/// One reason of a judgement, or one problem that limited it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// The stable code.
    pub code: ReasonCode,
    /// The text, cut at [`MESSAGE_BYTES`]. It may quote untrusted text, which renderers sanitize.
    pub message: String,
}

impl Reason {
    /// A reason whose message is cut at [`MESSAGE_BYTES`].
    #[must_use]
    pub fn new(code: ReasonCode, message: impl Into<String>) -> Self {
        Self { code, message: clip(message, MESSAGE_BYTES) }
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// A stable reason code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ReasonCode { $($(#[$doc])* $name,)* }

        impl ReasonCode {
            /// All codes.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The code in reports.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

codes! {
    /// A newer release of the base exists.
    BaseSuperseded = "base-superseded",
    /// The base in use is older than the limit.
    BaseTooOld = "base-too-old",
    /// The base is too old and still the newest of its line.
    LineQuiet = "line-quiet",
    /// The moving tag was rolled back behind the base in use.
    BaseAhead = "base-ahead",
    /// The release in use is held by `[[policy.hold]]`.
    ReleaseHeld = "release-held",
    /// The line's moving tag points at a release that is held, and no other release is known.
    LineHeld = "line-held",
    /// The current release is a rebuild with the same content.
    RebuildWithoutChange = "rebuild-without-change",
    /// The line's runtime is past its deprecation date.
    RuntimeDeprecated = "runtime-deprecated",
    /// The line's runtime will be deprecated soon.
    RuntimeEnding = "runtime-ending",
    /// Neither the records of the image nor its layers identify a base.
    BaseUnidentified = "base-unidentified",
    /// The image is recognizably built on a Lambda base, and no published release is a prefix of it.
    BaseNotPublishedHere = "base-not-published-here",
    /// Not all releases could be compared with the layers of the image yet.
    BaseSearchUnfinished = "base-search-unfinished",
    /// The layers of the image disprove the base that it records.
    LabelContradicted = "label-contradicted",
    /// The layers of the image neither prove nor disprove the base that it records.
    LabelUnconfirmed = "label-unconfirmed",
    /// An inner base is behind, so the base of the image has to be rebuilt first.
    WaitsForBase = "waits-for-base",
    /// Packages of the operating system were updated when the image was built.
    PackagesUpdated = "packages-updated",
    /// A label or annotation for the base has a malformed value.
    LabelMalformed = "label-malformed",
    /// Two pieces of evidence name different bases.
    EvidenceDisagrees = "evidence-disagrees",
    /// The recorded tag does not carry the recorded digest.
    TagHintContradicted = "tag-hint-contradicted",
    /// The image records only a moving tag of its base, not a digest.
    BaseDigestUnrecorded = "base-digest-unrecorded",
    /// The registry no longer has the base in use.
    BaseMissing = "base-missing",
    /// The release line is unknown.
    LineUnknown = "line-unknown",
    /// The line's moving tag does not exist: it was withdrawn or never published.
    LineMissing = "line-missing",
    /// The tag list, and with it the line's history, could not be read completely.
    HistoryUnreadable = "history-unreadable",
    /// The line is assumed from the configured default tag.
    LineAssumed = "line-assumed",
    /// The line's current release has no image for this platform.
    PlatformMissing = "platform-missing",
    /// No source gives the base's publish date.
    PublishDateUnknown = "publish-date-unknown",
    /// A Dockerfile names its base by a tag only, so each build may take another release.
    BaseNotPinned = "base-not-pinned",
    /// No label of the image that a Dockerfile builds records its base.
    BaseNotRecorded = "base-not-recorded",
    /// The base of a Dockerfile depends on a value that is only known during the build.
    BaseUnresolved = "base-unresolved",
    /// The repository has a better image that is not deployed.
    NotDeployed = "not-deployed",
    /// The deployed image is not in its repository.
    ImageMissing = "image-missing",
    /// The deployed image is archived in its repository.
    ImageArchived = "image-archived",
    /// AWS does not report which digest runs.
    DigestUnknown = "digest-unknown",
    /// The deployment, its image and its base are not all for one architecture.
    ArchitectureMismatch = "architecture-mismatch",
    /// The function cannot be invoked.
    FunctionFailed = "function-failed",
    /// The function is idle: it has not been invoked for weeks.
    FunctionInactive = "function-inactive",
    /// The last update of the function failed.
    UpdateFailed = "update-failed",
    /// The deployed image's manifest or configuration cannot be understood.
    ImageMalformed = "image-malformed",
    /// The registry is not on the allow-list; nothing was sent.
    RegistryNotAllowed = "registry-not-allowed",
    /// The registry refused access.
    RegistryDenied = "registry-denied",
    /// The registry cannot be reached, or responds with a server error.
    RegistryUnreachable = "registry-unreachable",
    /// The registry throttled every attempt.
    RegistryThrottled = "registry-throttled",
    /// The registry has a tag or an index, but not the manifest that it points at.
    RegistryIncomplete = "registry-incomplete",
    /// The base's registry is read through a pull-through cache or mirror.
    ReadThroughCache = "read-through-cache",
    /// The pull-through cache or mirror does not have it.
    NotCached = "not-cached",
    /// The registry returned a wrong digest, or a malformed or oversized document.
    RegistryMalformed = "registry-malformed",
}

impl fmt::Display for ReasonCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for ReasonCode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let code = Self::ALL.iter().find(|code| code.as_str() == text);
        code.copied().ok_or_else(|| format!("no reason code {text:?}"))
    }
}
