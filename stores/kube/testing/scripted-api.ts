import type { KubeAnswer, KubeApi, KubeRequest, WatchListener } from '../api.ts'

interface Asked {
  path: string
  on?: WatchListener
  resolve(answer: KubeAnswer): void
  reject(error: unknown): void
}

export interface ScriptedApi extends KubeApi {
  /** Paths asked for so far. */
  asked(): string[]
  /** Requests so far, watches apart. */
  requests(): KubeRequest[]
  /** Answers the oldest question that waits. Throws when nobody asked. */
  answer(answer: KubeAnswer): void
  answerIfAsked(answer: KubeAnswer): void
  /** Its connection breaks. */
  fail(error: Error): void
  /** The watch that waits is open. */
  open(): void
  event(document: unknown): void
}

/** An API server whose every word is the test's. */
export function scriptedApi(): ScriptedApi {
  const paths: string[] = []
  const requests: KubeRequest[] = []
  const waiting: Asked[] = []
  const ask = (path: string, signal: AbortSignal | undefined, on?: WatchListener) =>
    new Promise<KubeAnswer>((resolve, reject) => {
      paths.push(path)
      const question: Asked = { path, resolve, reject, ...(on && { on }) }
      waiting.push(question)
      signal?.addEventListener('abort', () => {
        const at = waiting.indexOf(question)
        if (at >= 0) waiting.splice(at, 1)
        reject(signal.reason)
      })
    })
  const next = () => {
    const question = waiting.shift()
    if (!question) throw new Error('nobody has asked')
    return question
  }
  const watch = () => {
    const on = waiting.find((question) => question.on)?.on
    if (!on) throw new Error('nobody watches')
    return on
  }
  return {
    asked: () => [...paths],
    requests: () => [...requests],
    request(request) {
      requests.push(request)
      return ask(request.path, request.signal)
    },
    watch: (path, on, signal) => ask(path, signal, on),
    answer: (answer) => next().resolve(answer),
    answerIfAsked: (answer) => waiting.shift()?.resolve(answer),
    fail: (error) => next().reject(error),
    open: () => watch().open(),
    // As in the real one, a listener that throws breaks the connection.
    event(document) {
      try {
        watch().event(document)
      } catch (error) {
        next().reject(error)
      }
    },
  }
}
