//! PURE: what changed in an environment.
//!
//! Think of two photographs of a shelf. What is on the second and not on the first is new, what is only on the first
//! was removed, what is on both and is not the same has changed.

use crate::reason::{ExitReason, Term};
use crate::service::application::env::{self, Place, Setting};
use crate::sync::Arc;
use std::collections::HashMap;
use std::error::Error;
use std::fmt;

/// All environments as they were at one moment: made by
/// [`prep_config_change`](crate::application::prep_config_change).
#[derive(Clone)]
pub struct EnvBefore(pub(super) HashMap<Place, Term>);

impl fmt::Debug for EnvBefore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EnvBefore({} values)", self.0.len())
    }
}

/// What changed in the environment of one application, each list in the order of the keys.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct ConfigChange {
    /// What has another value, as it is now.
    pub changed: Vec<Setting>,
    /// What had no value before.
    pub new: Vec<Setting>,
    /// What has no value any more.
    pub removed: Vec<&'static str>,
}

impl ConfigChange {
    pub(super) fn between(
        application: &str,
        before: &HashMap<Place, Term>,
        after: &HashMap<Place, Term>,
    ) -> Self {
        let (before, after) = (env::of(application, before), env::of(application, after));
        let mut change = ConfigChange::default();
        for setting in &after {
            match before.iter().find(|one| one.key() == setting.key()) {
                None => change.new.push(setting.clone()),
                Some(one) if one != setting => change.changed.push(setting.clone()),
                Some(_) => {}
            }
        }
        let gone = |one: &&Setting| !after.iter().any(|other| other.key() == one.key());
        change.removed = before.iter().filter(gone).map(Setting::key).collect();
        change
    }

    pub(super) fn is_none(&self) -> bool {
        self.changed.is_empty() && self.new.is_empty() && self.removed.is_empty()
    }
}

/// Which applications did not take a change of their environment, and why; the others have.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfigChangeError(pub Vec<(Arc<str>, ExitReason)>);

impl fmt::Display for ConfigChangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("changing the environment of applications")?;
        for (name, reason) in &self.0 {
            write!(f, "; {name}: {reason}")?;
        }
        Ok(())
    }
}

impl Error for ConfigChangeError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn photograph(values: &[(&'static str, u32)]) -> HashMap<Place, Term> {
        let own = values
            .iter()
            .map(|(key, value)| (("chat", *key), Term::new(*value)));
        let others = [(("other", "a"), Term::new(values.len()))];
        own.chain(others).collect()
    }

    #[test]
    fn lists_say_what_changed_and_nothing_else() {
        let before = photograph(&[("a", 1), ("b", 2), ("c", 3), ("d", 4)]);
        let after = photograph(&[("d", 4), ("b", 5), ("f", 7), ("e", 6)]);
        let change = ConfigChange::between("chat", &before, &after);
        assert_eq!(format!("{:?}", change.changed), "[b: 5]");
        assert_eq!(format!("{:?}", change.new), "[e: 6, f: 7]");
        assert_eq!(change.removed, ["a", "c"]);
        assert!(!change.is_none());
        assert!(ConfigChange::between("chat", &before, &before).is_none());
        assert!(ConfigChange::between("nobody", &before, &after).is_none());
    }

    /// A value of another type is another value.
    #[test]
    fn same_number_of_another_type_is_a_change() {
        let before = HashMap::from([(("chat", "a"), Term::new(1_u32))]);
        let after = HashMap::from([(("chat", "a"), Term::new(1_u64))]);
        let change = ConfigChange::between("chat", &before, &after);
        assert_eq!(change.changed[0].value::<u64>(), Some(&1));
    }
}
