//! Records that no decoder of the format `change` may accept: each has to become one dead letter.

/// How a record is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Damage {
    /// The JSON ends in the middle.
    CutOff,
    /// An interaction that does not exist.
    UnknownInteraction,
    /// A resource without `id`.
    NoId,
    /// A resource without `resourceType`.
    NoResourceType,
    /// Half of a UTF-16 surrogate pair.
    LoneSurrogate,
    /// More levels than any resource has.
    TooDeep,
    /// Spaces only.
    Blank,
    /// Kafka's null.
    Null,
}

impl Damage {
    /// All kinds, in the order in which a day brings them.
    pub const ALL: [Self; 8] = [
        Self::CutOff,
        Self::UnknownInteraction,
        Self::NoId,
        Self::NoResourceType,
        Self::LoneSurrogate,
        Self::TooDeep,
        Self::Blank,
        Self::Null,
    ];

    /// The value of a record with this damage.
    pub(super) fn apply(self, value: &[u8], id: &str) -> Option<Vec<u8>> {
        let broken = match self {
            Self::CutOff => value[..value.len() / 2].to_vec(),
            Self::UnknownInteraction => {
                br#"{"interaction":"merge","resource":{"resourceType":"Patient","id":"a"}}"#.to_vec()
            }
            Self::NoId => {
                br#"{"interaction":"create","resource":{"resourceType":"Patient","gender":"female"}}"#.to_vec()
            }
            Self::NoResourceType => format!(r#"{{"interaction":"create","resource":{{"id":"{id}"}}}}"#).into_bytes(),
            Self::LoneSurrogate => {
                let text = format!(
                    r#"{{"interaction":"create","resource":{{"resourceType":"Patient","id":"{id}","name":[{{"text":"\ud83d"}}]}}}}"#
                );
                text.into_bytes()
            }
            Self::TooDeep => {
                let mut text =
                    format!(r#"{{"interaction":"create","resource":{{"resourceType":"Basic","id":"{id}","a":"#);
                text.push_str(&"[".repeat(200));
                text.push_str(&"]".repeat(200));
                text.push_str("}}");
                text.into_bytes()
            }
            Self::Blank => b"   ".to_vec(),
            Self::Null => return None,
        };
        Some(broken)
    }
}
