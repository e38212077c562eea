// One collection kept current, which can be told to read it anew: whoever begins to lead wants to know what the server
// holds now, not what a watch has told so far.
import { type ReflectorOptions, reflect } from './reflector.ts'

export interface Followed {
  /** Resolves when the collection was listed after this call, and taken in. Rejects when the following ends first. */
  again(): Promise<void>
  /** Resolves when nothing runs any more. */
  ended: Promise<void>
}

/** Follows until `signal` aborts. */
export function follow(options: ReflectorOptions, signal: AbortSignal): Followed {
  let round = new AbortController()
  let waiting: PromiseWithResolvers<void> | undefined
  const { target } = options

  const run = async (): Promise<void> => {
    while (!signal.aborted) {
      const mine = round
      await reflect(
        {
          ...options,
          target: {
            ...target,
            replace(items, resourceVersion) {
              // A list that was asked for before is not the answer.
              if (mine !== round) return
              target.replace(items, resourceVersion)
              waiting?.resolve()
              waiting = undefined
            },
          },
        },
        AbortSignal.any([signal, mine.signal]),
      )
    }
    waiting?.reject(signal.reason)
  }
  return {
    again() {
      if (signal.aborted) return Promise.reject(signal.reason)
      if (waiting) return waiting.promise
      waiting = Promise.withResolvers<void>()
      const before = round
      round = new AbortController()
      before.abort(new Error('it is listed anew'))
      return waiting.promise
    },
    ended: run(),
  }
}
