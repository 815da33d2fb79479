//! Bundles hold each other: a removed or exchanged one is missed by the one after it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use dr_core::journal::Digest;

use super::check::{sealed, words};
use super::report::{Report, unless_any};
use crate::manifest::{Link, Manifest};
use crate::reading::read_manifest;

/// What is known about the bundle before.
#[derive(Debug, Clone, Copy)]
pub enum Before<'a> {
    /// Its folder.
    Folder(&'a Path),
    /// The register of every bundle, oldest first.
    Register(&'a [Link]),
}

/// [`verify`](super::verify), and the link to the bundle before as well.
pub fn verify_after(folder: &Path, before: Before<'_>) -> Report {
    let mut report = Report::default();
    let Some(manifest) = sealed(&mut report, folder) else { return report };
    let what = "it links to the bundle before";
    if manifest.provisional {
        report.skip(what, "a provisional bundle has no link");
        return report;
    }
    let linked = match before {
        Before::Folder(before) => link_of(before).and_then(|before| links_to(&manifest, Some(&before))),
        Before::Register(register) => link_of(folder).and_then(|own| {
            let place = register.iter().position(|link| *link == own);
            let place = place.ok_or_else(|| format!("the register does not hold {own}"))?;
            links_to(&manifest, place.checked_sub(1).and_then(|before| register.get(before)))
        }),
    };
    report.check(what, linked);
    report
}

fn link_of(folder: &Path) -> Result<Link, String> {
    let (manifest, bytes) = read_manifest(folder).map_err(words)?;
    Ok(Link::new(manifest.run, Digest::of(&bytes)))
}

fn links_to(manifest: &Manifest, before: Option<&Link>) -> Result<(), String> {
    match (manifest.previous.as_ref(), before) {
        (found, expected) if found == expected => Ok(()),
        (Some(found), Some(expected)) => Err(format!("it links to {found}, not to {expected}")),
        (Some(found), None) => Err(format!("it links to {found}, and nothing is before it")),
        (None, expected) => Err(format!(
            "it says that it is the first, and {} is before it",
            expected.map_or_else(String::new, Link::to_string)
        )),
    }
}

/// Looks at the links between bundles: one first, each other linked to one that is there, none linked to twice; with a
/// register (oldest first; none or empty: not known), every bundle in it and in its place. Only with a register it is
/// found out that the newest is gone. The bundles' files are [`verify`](super::verify)'s to look at.
pub fn verify_chain(folders: &[PathBuf], register: &[Link]) -> Report {
    let mut report = Report::default();
    let mut bundles: Vec<(Link, Manifest)> = Vec::new();
    let mut twice = Vec::new();
    for folder in folders {
        match read_manifest(folder) {
            Ok((manifest, _)) if manifest.provisional => {
                report.skip(format!("{} is linked", manifest.run), "it is provisional");
            }
            Ok((manifest, bytes)) => {
                let link = Link::new(manifest.run.clone(), Digest::of(&bytes));
                if bundles.iter().any(|(known, _)| known.run == link.run) {
                    twice.push(format!("{} has two", link.run));
                }
                bundles.push((link, manifest));
            }
            Err(error) => {
                report.check(format!("{} can be read", folder.display()), Err(words(error)));
            }
        }
    }
    report.check("every run has one bundle", unless_any(twice));
    let firsts: Vec<String> = bundles
        .iter()
        .filter(|(_, manifest)| manifest.previous.is_none())
        .map(|(link, _)| link.run.to_string())
        .collect();
    report.check(
        "one bundle is the first",
        match firsts.as_slice() {
            [_] => Ok(()),
            [] => Err("every bundle links to another: the first is missing".to_owned()),
            _ => Err(format!("{} each say that they are the first", firsts.join(" and "))),
        },
    );
    report.check("no bundle is missing", unless_any(missing(&bundles)));
    report.check("no two bundles link to the same one", unless_any(forks(&bundles)));
    if register.is_empty() {
        report.skip("the newest bundle is there", "no register was given");
    } else {
        report.check("the register and the bundles agree", unless_any(unregistered(&bundles, register)));
    }
    report
}

fn missing(bundles: &[(Link, Manifest)]) -> Vec<String> {
    let links = bundles.iter().filter_map(|(link, manifest)| Some((link, manifest.previous.as_ref()?)));
    links
        .filter(|(_, previous)| !bundles.iter().any(|(link, _)| link == *previous))
        .map(|(link, previous)| match bundles.iter().any(|(known, _)| known.run == previous.run) {
            true => format!("the bundle of {} is another than {} links to", previous.run, link.run),
            false => format!("the bundle of {} is gone, {} links to it", previous.run, link.run),
        })
        .collect()
}

fn forks(bundles: &[(Link, Manifest)]) -> Vec<String> {
    let mut after: BTreeMap<Digest, Vec<&str>> = BTreeMap::new();
    for (link, manifest) in bundles {
        if let Some(previous) = &manifest.previous {
            after.entry(previous.manifest_sha256).or_default().push(link.run.as_str());
        }
    }
    after.into_values().filter(|runs| runs.len() > 1).map(|runs| runs.join(" and ")).collect()
}

fn unregistered(bundles: &[(Link, Manifest)], register: &[Link]) -> Vec<String> {
    let mut complaints = Vec::new();
    for (place, link) in register.iter().enumerate() {
        match bundles.iter().find(|(known, _)| known == link) {
            None => complaints.push(format!("the bundle of {} is gone or another", link.run)),
            Some((_, manifest)) => {
                let before = place.checked_sub(1).and_then(|before| register.get(before));
                complaints.extend(links_to(manifest, before).err().map(|why| format!("{}: {why}", link.run)));
            }
        }
    }
    let strangers = bundles.iter().filter(|(link, _)| !register.contains(link));
    complaints.extend(strangers.map(|(link, _)| format!("{} is not in the register", link.run)));
    complaints
}
