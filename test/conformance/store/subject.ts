import { test } from 'vitest'
import type { Store, StoreEvent } from '../../../controllers/ports/store.ts'

/** A store under test, with a hand on its source. Every verb resolves when the store has seen it. */
export interface StoreSubject {
  /** The store of now: another one after `reopen`. */
  store(): Store
  /** All documents of one place (a file), as plain JSON. Before `start` nothing looks. */
  declare(place: string, documents: readonly unknown[]): Promise<void>
  /** The place is there, but cannot be read as objects at all. */
  garble(place: string): Promise<void>
  drop(place: string): Promise<void>
  setUnreadable(unreadable: boolean): Promise<void>
  /** Starts the store; `false`: it is not done after everything that can happen by itself has happened. */
  start(): Promise<boolean>
  /** Ends this store as a process ends and opens another on what it left; not started. */
  reopen(): Promise<void>
  end(): Promise<void>
}

export type MakeSubject = () => Promise<StoreSubject>

/**
 * What a store reads. `documents`: files, judged by the store itself, all of them together, against what it accepted
 * before. `server`: objects that an API server has judged one by one and keeps; what it does in its own way is tested
 * in test/kube and listed in docs/kubernetes.md.
 */
export type SourceKind = 'documents' | 'server'

/** Registers a test that is about documents only. */
export function documentTest(source: SourceKind): (name: string, body: () => Promise<void>) => void {
  return source === 'documents' ? (name, body) => test(name, body) : () => {}
}

/** A short line for each event, from now on. */
export function heard(store: Store): string[] {
  const lines: string[] = []
  store.subscribe((event: StoreEvent) => {
    if (event.type === 'upsert' || event.type === 'removed') lines.push(`${event.type} ${event.key}`)
    else lines.push(event.type)
  })
  return lines
}
