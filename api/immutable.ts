// What of a spec never changes. The rule stands on the parent: adding or removing the field counts as a change.
import { isDeepStrictEqual } from 'node:util'
import type { Kind } from './meta.ts'

export interface ImmutableField {
  field: string
  /** always: fixed when the object is made. onceSet: may be added later, then it is fixed. */
  from: 'always' | 'onceSet'
}

export const IMMUTABLE: Readonly<Record<Kind, readonly ImmutableField[]>> = {
  Mesh: [],
  Node: [],
  Pairing: [
    { field: 'nodeName', from: 'always' },
    { field: 'rendezvous', from: 'always' },
    { field: 'code', from: 'always' },
    { field: 'codeSecretRef', from: 'always' },
    { field: 'replace', from: 'always' },
    { field: 'address', from: 'always' },
    { field: 'grant', from: 'always' },
    { field: 'trustCode', from: 'always' },
    { field: 'sas', from: 'onceSet' },
    { field: 'decision', from: 'onceSet' },
  ],
  ResourcePool: [{ field: 'nodeName', from: 'always' }],
  Archive: [{ field: 'image', from: 'always' }],
}

/** The fields that a change from one accepted (defaulted) spec to another may not touch, but does. */
export function immutableBreaches(kind: Kind, before: object, after: object): string[] {
  const was = before as Record<string, unknown>
  const is = after as Record<string, unknown>
  return IMMUTABLE[kind]
    .filter(({ field, from }) => !(from === 'onceSet' && was[field] === undefined))
    .filter(({ field }) => !isDeepStrictEqual(was[field], is[field]))
    .map(({ field }) => field)
}
