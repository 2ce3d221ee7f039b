//! PURE: in which order applications start.
//!
//! Think of getting dressed: shoes need socks, a coat may go over a scarf if there is one. Whoever asks for the
//! coat gets everything that has to be on before it, each once, and is told of a circle before anything is put on.

use crate::sync::Arc;

/// What an application needs before it starts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Needs {
    /// Started before it, or it is not started.
    pub(super) required: Vec<Arc<str>>,
    /// Started before it where they are loaded.
    pub(super) optional: Vec<Arc<str>>,
}

/// Why there is no order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// This application is not loaded.
    NotLoaded(Arc<str>),
    /// Each of these needs the next, and the last the first.
    Circle(Vec<Arc<str>>),
}

/// The applications that have to run for `name` to run, itself the last, each after what it needs.
pub(super) fn order(
    name: &str,
    needs: &impl Fn(&str) -> Option<Needs>,
) -> Result<Vec<Arc<str>>, Fault> {
    let mut order = Vec::new();
    visit(name.into(), needs, &mut Vec::new(), &mut order)?;
    Ok(order)
}

fn visit(
    name: Arc<str>,
    needs: &impl Fn(&str) -> Option<Needs>,
    path: &mut Vec<Arc<str>>,
    order: &mut Vec<Arc<str>>,
) -> Result<(), Fault> {
    if order.contains(&name) {
        return Ok(());
    }
    if let Some(at) = path.iter().position(|one| *one == name) {
        return Err(Fault::Circle(path[at..].to_vec()));
    }
    let Some(own) = needs(&name) else {
        return Err(Fault::NotLoaded(name));
    };
    path.push(name.clone());
    for one in own.required {
        visit(one, needs, path, order)?;
    }
    for one in own.optional {
        if needs(&one).is_some() {
            visit(one, needs, path, order)?;
        }
    }
    path.pop();
    order.push(name);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Needs as text: `"a: b c ?d"`.
    fn plan(name: &str, loaded: &[&str]) -> Result<Vec<String>, Fault> {
        let needs = |name: &str| {
            let line = loaded
                .iter()
                .find(|line| line.split(':').next() == Some(name));
            let (_, words) = line?.split_once(':')?;
            let mut needs = Needs::default();
            for word in words.split_whitespace() {
                match word.strip_prefix('?') {
                    Some(word) => needs.optional.push(word.into()),
                    None => needs.required.push(word.into()),
                }
            }
            Some(needs)
        };
        let order = order(name, &needs)?;
        Ok(order.iter().map(|name| name.to_string()).collect())
    }

    #[test]
    fn what_is_needed_comes_first_and_once() {
        let loaded = ["a: b c", "b: d", "c: d", "d:", "e:"];
        assert_eq!(plan("a", &loaded).unwrap(), ["d", "b", "c", "a"]);
        assert_eq!(plan("d", &loaded).unwrap(), ["d"]);
    }

    #[test]
    fn optional_needs_count_where_they_are_loaded() {
        assert_eq!(plan("a", &["a: ?b ?c", "c:"]).unwrap(), ["c", "a"]);
        assert_eq!(
            plan("a", &["a: ?b", "b: c"]),
            Err(Fault::NotLoaded("c".into()))
        );
    }

    #[test]
    fn missing_and_circular_needs_are_faults() {
        assert_eq!(plan("a", &[]), Err(Fault::NotLoaded("a".into())));
        assert_eq!(plan("a", &["a: b"]), Err(Fault::NotLoaded("b".into())));
        let circle = Fault::Circle(vec!["b".into(), "c".into()]);
        assert_eq!(plan("a", &["a: b", "b: c", "c: ?b"]), Err(circle));
        assert_eq!(plan("a", &["a: a"]), Err(Fault::Circle(vec!["a".into()])));
    }
}
