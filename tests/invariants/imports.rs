//! Which rooms a file of `src/` uses: every `use` and every path that begins with `crate`, `super` or `self`, in code
//! and in macros; comments, strings and `#[cfg(test)]` items are left out. Re-exports are followed to where a thing is
//! defined.

use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// One use of a room by a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Import {
    /// Relative to the repository.
    pub(crate) file: PathBuf,
    /// From 1.
    pub(crate) line: usize,
    /// The room of the file.
    pub(crate) from: String,
    /// The room in which the used thing is defined.
    pub(crate) to: String,
    /// The path as it stands, from the crate's root.
    pub(crate) path: String,
}

type Names = Vec<String>;

/// A path found in a file, from the crate's root.
struct Use {
    line: usize,
    path: Names,
    /// The module and the name under which `pub use` makes it known.
    exported: Option<(Names, String)>,
}

/// All imports between rooms. `files`: path relative to the repository, text.
pub(crate) fn imports(files: &[(PathBuf, String)]) -> Vec<Import> {
    let modules: BTreeSet<Names> = files.iter().map(|(file, _)| module_of(file)).collect();
    let uses: Vec<(&Path, Vec<Use>)> = files
        .iter()
        .map(|(file, text)| (file.as_path(), uses(&module_of(file), text, &modules)))
        .collect();
    let exports: BTreeMap<(Names, String), Names> = uses
        .iter()
        .flat_map(|(_, found)| found)
        .filter_map(|u| Some((u.exported.clone()?, u.path.clone())))
        .collect();
    let mut found = Vec::new();
    for (file, uses) in &uses {
        let Some(from) = module_of(file).first().cloned() else {
            continue;
        };
        for u in uses {
            let defined = follow(&u.path, &modules, &exports);
            let to = defined.first().filter(|to| **to != from);
            found.extend(to.map(|to| Import {
                file: file.to_path_buf(),
                line: u.line,
                from: from.clone(),
                to: to.clone(),
                path: u.path.join("::"),
            }));
        }
    }
    found
}

/// `src/etcd/wire/mod.rs` → etcd, wire.
pub(crate) fn module_of(file: &Path) -> Names {
    let parts = file.with_extension("");
    let mut names: Names = parts
        .iter()
        .skip(1)
        .map(|p| p.to_string_lossy().into_owned())
        .collect();
    if names
        .last()
        .is_some_and(|n| ["mod", "lib", "main"].contains(&n.as_str()))
    {
        names.pop();
    }
    names
}

/// Where the thing that a path names is defined, re-exports followed.
fn follow(
    path: &Names,
    modules: &BTreeSet<Names>,
    exports: &BTreeMap<(Names, String), Names>,
) -> Names {
    let mut path = path.clone();
    // A chain of re-exports is short; a circle of them would not compile.
    for _ in 0..8 {
        let depth = (0..=path.len())
            .rev()
            .find(|n| modules.contains(&path[..*n]))
            .unwrap_or(0);
        let Some(name) = path.get(depth) else {
            break;
        };
        let module = path[..depth].to_vec();
        let named = exports.get(&(module.clone(), name.clone()));
        let all = exports.get(&(module, "*".to_owned()));
        path = match (named, all) {
            (Some(target), _) => [target, &path[depth + 1..]].concat(),
            (None, Some(target)) => [&target[..target.len() - 1], &path[depth..]].concat(),
            (None, None) => break,
        };
    }
    path
}

fn uses(module: &Names, text: &str, modules: &BTreeSet<Names>) -> Vec<Use> {
    let tokens: TokenStream = text.parse().expect("a source file has tokens");
    let mut found = Vec::new();
    walk(tokens, module, modules, &mut found);
    found
}

fn walk(tokens: TokenStream, module: &Names, modules: &BTreeSet<Names>, found: &mut Vec<Use>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut i = 0;
    while i < tokens.len() {
        match &tokens[i] {
            TokenTree::Punct(p) if p.as_char() == '#' && is_cfg_test(tokens.get(i + 1)) => {
                i = end_of_item(&tokens, i + 2);
                continue;
            }
            TokenTree::Ident(word) if word == "mod" => {
                if let (Some(TokenTree::Ident(name)), Some(TokenTree::Group(body))) =
                    (tokens.get(i + 1), tokens.get(i + 2))
                {
                    let inner = [module.as_slice(), &[name.to_string()]].concat();
                    walk(body.stream(), &inner, modules, found);
                    i += 3;
                    continue;
                }
            }
            TokenTree::Ident(word) if word == "use" => {
                let exported = i > 0 && is_pub(&tokens[..i]);
                let end = end_of_item(&tokens, i);
                let mut leafs = Vec::new();
                tree(&tokens[i + 1..end - 1], &Vec::new(), &mut leafs);
                found.extend(leafs.into_iter().filter_map(|(path, name)| {
                    Some(Use {
                        line: word.span().start().line,
                        path: absolute(&path, module, modules)?,
                        exported: exported.then(|| (module.clone(), name)),
                    })
                }));
                i = end;
                continue;
            }
            TokenTree::Ident(word) if begins_path(word) && is_colons(&tokens, i + 1) => {
                let (path, end) = path(&tokens, i);
                found.extend(absolute(&path, module, modules).map(|path| Use {
                    line: word.span().start().line,
                    path,
                    exported: None,
                }));
                i = end;
                continue;
            }
            TokenTree::Group(group) => walk(group.stream(), module, modules, found),
            _ => {}
        }
        i += 1;
    }
}

fn begins_path(word: &Ident) -> bool {
    ["crate", "super", "self"].iter().any(|w| word == w)
}

fn is_punct(token: Option<&TokenTree>, c: char) -> bool {
    matches!(token, Some(TokenTree::Punct(p)) if p.as_char() == c)
}

fn is_colons(tokens: &[TokenTree], at: usize) -> bool {
    is_punct(tokens.get(at), ':') && is_punct(tokens.get(at + 1), ':')
}

fn is_cfg_test(token: Option<&TokenTree>) -> bool {
    matches!(token, Some(TokenTree::Group(g)) if g.stream().to_string().replace(' ', "") == "cfg(test)")
}

/// Whether the tokens before a `use` end with `pub` or `pub(…)`.
fn is_pub(before: &[TokenTree]) -> bool {
    let pub_word = |t: Option<&TokenTree>| matches!(t, Some(TokenTree::Ident(w)) if w == "pub");
    pub_word(before.last())
        || matches!(before.last(), Some(TokenTree::Group(_)))
            && pub_word(before.iter().rev().nth(1))
}

/// Behind the `;` or the braces that end the item at `from`.
fn end_of_item(tokens: &[TokenTree], from: usize) -> usize {
    let is_use = matches!(&tokens[from], TokenTree::Ident(w) if w == "use");
    let ends = |t: &TokenTree| match t {
        TokenTree::Punct(p) => p.as_char() == ';',
        TokenTree::Group(g) => !is_use && g.delimiter() == Delimiter::Brace,
        _ => false,
    };
    let after = tokens[from..].iter().position(ends);
    after.map_or(tokens.len(), |n| from + n + 1)
}

/// `a::b::c` from `from`, and the index behind it.
fn path(tokens: &[TokenTree], from: usize) -> (Names, usize) {
    let mut names = vec![tokens[from].to_string()];
    let mut i = from + 1;
    while is_colons(tokens, i) {
        let Some(TokenTree::Ident(name)) = tokens.get(i + 2) else {
            break;
        };
        names.push(name.to_string());
        i += 3;
    }
    (names, i)
}

/// Every path of a `use` tree, with the name under which it is known.
fn tree(tokens: &[TokenTree], before: &Names, leafs: &mut Vec<(Names, String)>) {
    let is_comma = |t: &TokenTree| is_punct(Some(t), ',');
    for branch in tokens.split(is_comma).filter(|b| !b.is_empty()) {
        let mut names = before.clone();
        let mut alias = None;
        let mut i = 0;
        while i < branch.len() {
            match &branch[i] {
                TokenTree::Ident(word) if word == "as" => {
                    alias = branch.get(i + 1).map(ToString::to_string);
                    break;
                }
                TokenTree::Ident(word) => names.push(word.to_string()),
                TokenTree::Punct(p) if p.as_char() == '*' => names.push("*".to_owned()),
                TokenTree::Group(group) => {
                    let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                    tree(&inner, &names, leafs);
                    names.clear();
                }
                _ => {}
            }
            i += 1;
        }
        if names.len() > 1 && names.last().is_some_and(|n| n == "self") {
            names.pop();
        }
        if let Some(last) = names.last() {
            let name = alias.unwrap_or_else(|| last.clone());
            leafs.push((names, name));
        }
    }
}

/// A path from the crate's root; none for one of another crate.
fn absolute(path: &[String], module: &Names, modules: &BTreeSet<Names>) -> Option<Names> {
    let mut from = module.clone();
    let mut rest = path;
    match rest.first().map(String::as_str) {
        Some("crate") => {
            from.clear();
            rest = &rest[1..];
        }
        Some("self" | "super") => {
            while let Some(word @ ("self" | "super")) = rest.first().map(String::as_str) {
                if word == "super" {
                    from.pop();
                }
                rest = &rest[1..];
            }
        }
        Some(first) => {
            // A child module's item, named without `self`.
            let child = [module.as_slice(), &[first.to_owned()]].concat();
            if !modules.contains(&child) {
                return None;
            }
        }
        None => return None,
    }
    Some([from.as_slice(), rest].concat())
}
