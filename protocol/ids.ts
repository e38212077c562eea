// Scalars that must not be mixed up. All are plain at run time.
declare const brand: unique symbol
type Brand<T, B extends string> = T & { readonly [brand]?: B }

/** 32 lower-case hex digits: 16 random bytes. */
export type MeshId = Brand<string, 'MeshId'>
export type AuthorityId = Brand<string, 'AuthorityId'>
export type NodeId = Brand<string, 'NodeId'>
export type EnrolmentId = Brand<string, 'EnrolmentId'>
export type ArchiveId = Brand<string, 'ArchiveId'>
/** u32: counter of the authority's reigns. */
export type Term = Brand<number, 'Term'>
/** u32 hybrid clock in ticks of 1/16 s since the mesh epoch. */
export type Sequence = Brand<number, 'Sequence'>
/** Mesh-wide counter, from 1. */
export type Revision = Brand<number, 'Revision'>
/** 1-254: last octet of a mesh address; 255: all. */
export type TargetByte = Brand<number, 'TargetByte'>
/** 0: the node itself; 1-255: an archive. */
export type Slot = Brand<number, 'Slot'>
/** 64 lower-case hex digits: SHA-256. */
export type Digest = Brand<string, 'Digest'>
export type MiB = Brand<number, 'MiB'>
export type FencingEpoch = Brand<number, 'FencingEpoch'>

/** (term, revision), ordered by term first. */
export interface RevisionMark {
  term: Term
  revision: Revision
}

/** (term, sequence), ordered by term first. */
export interface SequenceMark {
  term: Term
  sequence: Sequence
}

export function compareSequence(a: SequenceMark, b: SequenceMark): number {
  return a.term - b.term || a.sequence - b.sequence
}

export function compareRevision(a: RevisionMark, b: RevisionMark): number {
  return a.term - b.term || a.revision - b.revision
}
