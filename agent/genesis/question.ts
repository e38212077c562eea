// The digits of a ceremony, and what a person at the machine says of them. Both lie in the agent's folder, so that it
// does not matter who sits where: `ppn agent holding` shows the one and brings the other.
import { z } from 'zod'
import type { Clock } from '../../base/clock.ts'
import type { Files } from '../../base/files.ts'
import { openJson, sealJson } from '../durable/sealed-json.ts'

const QUESTION = 'claim-question'
const ANSWER = 'claim-answer'
const LOOK_EVERY_MS = 500

const question = z.strictObject({
  digits: z.string(),
  nodeName: z.string(),
  authorityFingerprint: z.string(),
  /** False: they are shown for the operator at the authority alone. */
  asked: z.boolean(),
})
export type Question = z.output<typeof question>
const answer = z.strictObject({ digits: z.string(), same: z.boolean() })

export async function postQuestion(files: Files, posted: Question): Promise<void> {
  await files.remove(ANSWER)
  await files.write(QUESTION, sealJson(posted))
}

/** Unless another one has taken its place. */
export async function withdrawQuestion(files: Files, digits: string): Promise<void> {
  if ((await questionIn(files))?.digits !== digits) return
  await files.remove(QUESTION)
  await files.remove(ANSWER)
}

export async function questionIn(files: Files): Promise<Question | undefined> {
  const bytes = await files.read(QUESTION)
  return bytes && openJson(bytes, question)
}

/** Resolves with whether the person says that they are the same; rejects with the signal's reason. */
export async function awaitAnswer(files: Files, clock: Clock, digits: string, over: AbortSignal): Promise<boolean> {
  for (;;) {
    over.throwIfAborted()
    const bytes = await files.read(ANSWER)
    const found = bytes && openJson(bytes, answer)
    // An answer to another question, given a moment too late, is none.
    if (found && found.digits === digits) return found.same
    await clock.sleep(LOOK_EVERY_MS, over)
  }
}

export async function answerIn(files: Files, digits: string, same: boolean): Promise<void> {
  await files.write(ANSWER, sealJson({ digits, same }))
}
