//! A supervision tree as a value: what runs below a supervisor at one moment, to be printed or looked through.

use crate::behaviour::supervisor::board::{self, Board, ChildStatus, Rule};
use crate::behaviour::supervisor::child::ChildKind;
use crate::behaviour::supervisor::restart::Strategy;
use crate::pid::Pid;
use crate::process::runtime::Shared;
use crate::process::{ProcessId, runtime};
use crate::sync::Arc;
use std::fmt;

/// A supervisor and all below it, as they were when [`tree`] looked; printed, a picture of lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    nodes: Vec<Node>,
}

/// One process, or one child that does not run, in a [`Tree`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Node {
    /// How far below the root it is; 0 is the root.
    pub depth: usize,
    /// What its supervisor knows it by; the root's is empty.
    pub id: Arc<str>,
    /// Whether it is a supervisor.
    pub kind: ChildKind,
    /// How it was.
    pub status: ChildStatus,
    /// How often it came up again after its first start.
    pub restarts: u32,
    /// Its registered name, if it has one.
    pub name: Option<Arc<str>>,
    /// Its label, if it has one.
    pub label: Option<Arc<str>>,
    /// The strategy, if it is a supervisor with a fixed list of children.
    pub strategy: Option<Strategy>,
    /// Its supervisor; `None` for the root.
    pub supervisor: Option<Pid>,
}

/// What runs below a supervisor at this moment; `None` if there is no such supervisor. Nobody is asked, so it is
/// answered at once; while children come and go, each supervisor is shown as it was when it was looked at.
///
/// ```
/// use perennial::prelude::*;
/// # struct Printer; impl GenServer for Printer { type Args = (); type Msg = ();
/// #   fn init(_: (), _: &mut Cx<Self>) -> Init<Self> { Init::Ok(Printer) }
/// #   fn handle(&mut self, _: (), _: &mut Cx<Self>) -> Next<()> { Next::Loop } }
/// let office = Supervisor::new(Strategy::OneForOne)
///     .label("office")
///     .child(Child::server::<Printer>("printer", ()))
///     .start()?;
/// let tree = supervisor::tree(&office).unwrap();
/// println!("{tree}"); // office <0.5.1> one for one
///                     // └─ printer <0.6.1>
/// assert_eq!(tree.nodes().len(), 2);
/// supervisor::stop(&office)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn tree(supervisor: impl Into<ProcessId>) -> Option<Tree> {
    let shared = runtime::current();
    let (pid, _, _) = supervisor.into().resolve(&shared);
    of(&shared, pid)
}

pub(super) fn of(shared: &Arc<Shared>, root: Pid) -> Option<Tree> {
    let board = board::find(shared, root)?;
    let mut root = Node {
        depth: 0,
        id: "".into(),
        kind: ChildKind::Supervisor,
        status: ChildStatus::Running(root),
        restarts: 0,
        name: None,
        label: None,
        strategy: None,
        supervisor: None,
    };
    root.look(shared, Some(&board));
    // A list of what is to be visited, so that a tree of any depth needs no deep stack.
    let mut nodes = Vec::new();
    let mut to_visit = vec![(root, Some(board))];
    while let Some((node, board)) = to_visit.pop() {
        let depth = node.depth + 1;
        nodes.push(node);
        let Some(board) = board else { continue };
        for child in board.children().into_iter().rev() {
            let mut node = Node {
                depth,
                id: child.id,
                kind: child.kind,
                status: child.status,
                restarts: child.restarts,
                name: None,
                label: None,
                strategy: None,
                supervisor: Some(board.supervisor),
            };
            let below = node.status.pid().and_then(|pid| board::find(shared, pid));
            node.look(shared, below.as_ref());
            to_visit.push((node, below));
        }
    }
    Some(Tree { nodes })
}

impl Tree {
    /// All nodes, each before those below it, siblings in start order.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// For each node, whether a sibling follows.
    fn siblings_follow(&self) -> Vec<bool> {
        let mut follow = vec![false; self.nodes.len()];
        let mut seen: Vec<bool> = Vec::new();
        for (at, node) in self.nodes.iter().enumerate().rev() {
            seen.resize(node.depth + 1, false);
            follow[at] = std::mem::replace(&mut seen[node.depth], true);
        }
        follow
    }
}

impl Node {
    /// Adds what the process itself has: name, label, strategy.
    fn look(&mut self, shared: &Arc<Shared>, board: Option<&Arc<Board>>) {
        let process = self.status.pid().and_then(|pid| shared.process(pid));
        if let Some(process) = process {
            let relations = process.core().relations.lock();
            self.name = relations.name();
            self.label = relations.label();
        }
        self.strategy = board.and_then(|board| match board.rule {
            Rule::Fixed(strategy) => Some(strategy),
            Rule::Dynamic => None,
        });
    }

    /// What it is called: its id; the root has none, so its name or label.
    fn called(&self) -> &str {
        let own = [&self.name, &self.label].into_iter().flatten().next();
        match own {
            Some(own) if self.id.is_empty() => own,
            _ if self.id.is_empty() => "supervisor",
            _ => &self.id,
        }
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.called())?;
        match self.status {
            ChildStatus::Running(pid) => write!(f, " {pid}")?,
            ChildStatus::Starting(pid) => write!(f, " {pid} starting")?,
            ChildStatus::Stopping(pid) => write!(f, " {pid} stopping")?,
            ChildStatus::Restarting => f.write_str(" restarting")?,
            ChildStatus::Undefined => f.write_str(" undefined")?,
        }
        if let Some(name) = self.name.as_deref().filter(|name| *name != self.called()) {
            write!(f, " named {name}")?;
        }
        if let Some(label) = self
            .label
            .as_deref()
            .filter(|label| *label != self.called())
        {
            write!(f, " {label:?}")?;
        }
        match (self.kind, self.strategy) {
            (_, Some(Strategy::OneForOne)) => f.write_str(" one for one")?,
            (_, Some(Strategy::OneForAll)) => f.write_str(" one for all")?,
            (_, Some(Strategy::RestForOne)) => f.write_str(" rest for one")?,
            (ChildKind::Supervisor, None) => f.write_str(" supervisor")?,
            (ChildKind::Worker, None) => {}
        }
        match self.restarts {
            0 => Ok(()),
            1 => f.write_str(", restarted once"),
            many => write!(f, ", restarted {many} times"),
        }
    }
}

impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let follow = self.siblings_follow();
        // Whether the line of each level above goes on.
        let mut lines: Vec<bool> = Vec::new();
        for (node, follows) in self.nodes.iter().zip(follow) {
            lines.truncate(node.depth);
            if node.depth > 0 {
                f.write_str("\n")?;
            }
            for goes_on in lines.iter().skip(1) {
                f.write_str(if *goes_on { "│  " } else { "   " })?;
            }
            if node.depth > 0 {
                f.write_str(if follows { "├─ " } else { "└─ " })?;
            }
            write!(f, "{node}")?;
            lines.push(follows);
        }
        Ok(())
    }
}
