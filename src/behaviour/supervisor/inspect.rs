//! What supervisors show of themselves to whoever looks into them.

use crate::behaviour::supervisor::dynamic_machine::Dynamic;
use crate::behaviour::supervisor::machine::Machine;
use crate::behaviour::supervisor::slot::Slot;
use std::fmt;

/// Its strategy, and its children in start order with how each is.
impl fmt::Debug for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} ", self.strategy)?;
        show(f, self.children.in_order().into_iter())
    }
}

/// Its children with how each is.
impl fmt::Debug for Dynamic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(f, self.slots())
    }
}

fn show<'a>(f: &mut fmt::Formatter<'_>, slots: impl Iterator<Item = &'a Slot>) -> fmt::Result {
    let shown = slots.map(|slot| (&slot.child.spec.id, slot.state()));
    f.debug_map().entries(shown).finish()
}
