// The one question of a ceremony at a machine where no person sits at the agent itself: it lies in the agent's folder,
// and `ppn agent holding` shows it and brings the answer.
import { z } from 'zod'
import type { Clock } from '../../base/clock.ts'
import type { Files } from '../../base/files.ts'
import { openJson, sealJson } from '../durable/sealed-json.ts'

const QUESTION = 'claim-question'
const ANSWER = 'claim-answer'
const LOOK_EVERY_MS = 500

const question = z.strictObject({ digits: z.string(), nodeName: z.string(), authorityFingerprint: z.string() })
export type Question = z.output<typeof question>
const answer = z.strictObject({ digits: z.string(), same: z.boolean() })

/** Resolves with what the person said; rejects with the signal's reason. The question is gone then. */
export async function askInFolder(files: Files, clock: Clock, asked: Question, over: AbortSignal): Promise<boolean> {
  await files.remove(ANSWER)
  await files.write(QUESTION, sealJson(asked))
  try {
    for (;;) {
      over.throwIfAborted()
      const bytes = await files.read(ANSWER)
      const found = bytes && openJson(bytes, answer)
      // An answer to another question, given a moment too late, is none.
      if (found && found.digits === asked.digits) return found.same
      await clock.sleep(LOOK_EVERY_MS, over)
    }
  } finally {
    await files.remove(QUESTION)
    await files.remove(ANSWER)
  }
}

export async function questionIn(files: Files): Promise<Question | undefined> {
  const bytes = await files.read(QUESTION)
  return bytes && openJson(bytes, question)
}

export async function answerIn(files: Files, digits: string, same: boolean): Promise<void> {
  await files.write(ANSWER, sealJson({ digits, same }))
}
