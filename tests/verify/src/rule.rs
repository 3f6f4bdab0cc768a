//! What a rule is, and the table of all of them.

use std::fmt;

/// How bad it is to break a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// Against a MUST.
    Error,
    /// Against a SHOULD.
    Warning,
    /// Worth knowing.
    Note,
}

impl Severity {
    /// The word for it in reports.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What a capture must be for a rule to be judged in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Packets must carry times.
    pub time: bool,
    /// The capture must have been taken beside the host that is judged: what it did is seen in the order, and soon
    /// after the moment, in which it did it, and what reached the capture reached it.
    pub near: bool,
    /// The packets must be as they were on the wire: after segmentation and before joining.
    pub wire: bool,
    /// Every packet of the flow must have been captured.
    pub whole: bool,
}

impl Needs {
    pub(crate) const NOTHING: Needs = Needs {
        time: false,
        near: false,
        wire: false,
        whole: false,
    };

    pub(crate) const fn time(self) -> Needs {
        Needs { time: true, ..self }
    }

    pub(crate) const fn near(self) -> Needs {
        Needs { near: true, ..self }
    }

    pub(crate) const fn wire(self) -> Needs {
        Needs { wire: true, ..self }
    }

    pub(crate) const fn whole(self) -> Needs {
        Needs {
            whole: true,
            ..self
        }
    }
}

/// One rule that packets can break.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its name in reports; stable.
    pub id: &'static str,
    /// Where it is written.
    pub rfc: &'static str,
    /// How bad it is to break it.
    pub severity: Severity,
    /// What it asks for.
    pub title: &'static str,
    /// What a capture must be for this rule to be judged.
    pub needs: Needs,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.id)
    }
}

/// Every rule that is implemented, in the order of their groups.
pub fn catalogue() -> impl Iterator<Item = &'static Rule> {
    crate::rules::GROUPS.iter().copied().flatten().copied()
}

/// The rules of one group: `NAME = severity "id", "where", "what" [needs];` makes a constant of each and `RULES` of all.
macro_rules! rules {
    ($($name:ident = $severity:ident $id:literal, $rfc:literal, $title:literal $([$($need:ident)*])?;)*) => {
        $(static $name: $crate::rule::Rule = $crate::rule::Rule {
            id: $id,
            rfc: $rfc,
            severity: $crate::rule::Severity::$severity,
            title: $title,
            needs: $crate::rule::Needs::NOTHING$($(.$need())*)?,
        };)*
        pub(crate) static RULES: &[&$crate::rule::Rule] = &[$(&$name),*];
    };
}
pub(crate) use rules;
