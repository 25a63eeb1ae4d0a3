//! Lays out the text of a module for readers: what fits into a line stands on one.

/// Columns that a line may take.
const WIDTH: usize = 100;

/// A part of the text.
enum Node {
    /// A word, a string or a comment in brackets.
    Word(String),
    /// What brackets enclose.
    List(Vec<Node>),
}

/// The same text with other line breaks. Comments to the ends of lines become comments in brackets.
///
/// Text whose brackets do not match stays as it is.
pub(super) fn laid_out(text: &str) -> String {
    let Some(nodes) = parsed(text) else {
        return text.to_owned();
    };
    let mut out = String::new();
    for node in &nodes {
        write(node, 0, 0, &mut out);
        out.push('\n');
    }
    out
}

fn parsed(text: &str) -> Option<Vec<Node>> {
    let mut open: Vec<Vec<Node>> = vec![Vec::new()];
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        let word = if rest.is_empty() {
            break;
        } else if let Some(after) = rest.strip_prefix(";;") {
            let end = after.find('\n').unwrap_or(after.len());
            let (comment, after) = after.split_at(end);
            rest = after;
            // `label = @1` is what branches call it by, in brackets too.
            let label = comment.trim();
            let label = label.strip_prefix("label = ").unwrap_or(label);
            open.last_mut()?.push(Node::Word(format!("(;{label};)")));
            continue;
        } else if rest.starts_with("(;=") {
            // What a constant is in decimal, with hundreds of digits.
            rest = &rest[rest.find(";)")? + 2..];
            continue;
        } else if rest.starts_with("(;") {
            &rest[..rest.find(";)")? + 2]
        } else if let Some(inside) = rest.strip_prefix('"') {
            let mut escaped = false;
            let end = inside.find(|c| {
                let ends = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                ends
            });
            &rest[..end? + 2]
        } else if let Some(after) = rest.strip_prefix('(') {
            rest = after;
            open.push(Vec::new());
            continue;
        } else if let Some(after) = rest.strip_prefix(')') {
            rest = after;
            let list = open.pop()?;
            open.last_mut()?.push(Node::List(list));
            continue;
        } else {
            let ends = |c: char| c.is_whitespace() || "()\";".contains(c);
            let end = rest.find(ends).unwrap_or(rest.len());
            &rest[..end.max(1)]
        };
        open.last_mut()?.push(Node::Word(word.to_owned()));
        rest = &rest[word.len()..];
    }
    let nodes = open.pop()?;
    open.is_empty().then_some(nodes)
}

/// The node on one line.
fn flat(node: &Node) -> String {
    match node {
        Node::Word(word) => word.clone(),
        Node::List(list) => {
            let inside: Vec<_> = list.iter().map(flat).collect();
            format!("({})", inside.join(" "))
        }
    }
}

/// Whether a node belongs to the line of the list that it is in.
fn is_heading(node: &Node) -> bool {
    const KEYWORDS: &[&str] = &[
        "type",
        "param",
        "result",
        "export",
        "import",
        "mut",
        "sub",
        "on",
        "catch",
        "catch_ref",
        "catch_all",
        "catch_all_ref",
        "ref",
    ];
    match node {
        Node::Word(_) => true,
        Node::List(list) => {
            matches!(list.first(), Some(Node::Word(word)) if KEYWORDS.contains(&word.as_str()))
        }
    }
}

/// What encloses a sequence.
const SEQUENCES: &[&str] = &[
    "module",
    "rec",
    "func",
    "block",
    "loop",
    "if",
    "then",
    "else",
    "try_table",
];

/// Whether a node has no lists inside of a list.
fn is_simple(node: &Node) -> bool {
    match node {
        Node::Word(_) => true,
        Node::List(list) => list.iter().all(|child| matches!(child, Node::Word(_))),
    }
}

/// Writes a node that begins at `column`, the lines after the first indented below `indent`. Modules are never one line.
fn write(node: &Node, indent: usize, column: usize, out: &mut String) {
    let line = flat(node);
    let Node::List(list) = node else {
        out.push_str(&line);
        return;
    };
    let is = |keyword: &str| matches!(list.first(), Some(Node::Word(word)) if word == keyword);
    // Brackets are closed behind it.
    if column + line.len() + 4 <= WIDTH && !is("module") {
        out.push_str(&line);
        return;
    }
    out.push('(');
    let mut column = column + 1;
    let mut heads = !is("module") && !is("rec");
    let mut first = true;
    // Operands stand side by side if they are simple; what is a sequence does not.
    let fills = !SEQUENCES.iter().any(|keyword| is(keyword)) && list.iter().all(is_simple);
    for child in list {
        let text = flat(child);
        heads &= fills || is_heading(child);
        let fits = column + 1 + text.len() + 4 <= WIDTH;
        if first {
            // The keyword.
            out.push_str(&text);
            column += text.len();
        } else if (heads || matches!(child, Node::Word(_))) && fits {
            out.push(' ');
            out.push_str(&text);
            column += 1 + text.len();
        } else {
            let indent = indent + if heads { 4 } else { 2 };
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', indent));
            write(child, indent, indent, out);
            column = indent + out[out.rfind('\n').unwrap_or(0)..].trim().len();
        }
        first = false;
    }
    if is("module") {
        out.push('\n');
    }
    out.push(')');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_stands_on_one_line_and_the_module_stays_the_same() {
        let params = "i32 ".repeat(40);
        let text = format!(
            "(module
                (type (;0;) (func (param {params})))
                (func (;0;) (param i32) (result i32)
                    (block ;; label = @1
                        (br_if 0 (;@1;)
                            (local.get 0)))
                    (unreachable)
                )
                (data (;0;) \"a ) ;; \\\" \\28\")
                (func (export \"long\")
                    (call 0 (i32.const 1111111111)) (drop) (call 0 (i32.const 1111111111)) (drop)))"
        );
        let laid_out = laid_out(&text);
        let expected = "
  (func (;0;) (param i32) (result i32)
    (block (;@1;) (br_if 0 (;@1;) (local.get 0)))
    (unreachable))
  (data (;0;) \"a ) ;; \\\" \\28\")
  (func (export \"long\")
    (call 0 (i32.const 1111111111))
    (drop)
    (call 0 (i32.const 1111111111))
    (drop))
)
";
        assert!(laid_out.ends_with(expected), "{laid_out}");
        let constants = "(i32.const 5) ".repeat(9);
        let call = format!(
            "(module (func (param {params})) (func (call 0 {constants} (unreachable)) (nop)))"
        );
        let expected = "
  (func
    (call 0 (i32.const 5) (i32.const 5) (i32.const 5) (i32.const 5) (i32.const 5) (i32.const 5)
        (i32.const 5) (i32.const 5) (i32.const 5) (unreachable))
    (nop))
)
";
        let call = super::laid_out(&call);
        assert!(call.ends_with(expected), "{call}");
        assert!(
            laid_out.lines().all(|line| line.len() <= WIDTH),
            "{laid_out}"
        );
        assert_eq!(
            wat::parse_str(&text).unwrap(),
            wat::parse_str(&laid_out).unwrap()
        );
    }

    #[test]
    fn brackets_that_do_not_match_stay() {
        for text in ["(module", "(module))", "(module (data \"))"] {
            assert_eq!(laid_out(text), text);
        }
    }
}
