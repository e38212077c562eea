// The code by which this machine is claimed. It neither expires nor burns: it may be printed on a label, and be typed
// months later. What protects it is that one attempt a minute is answered (endpoint.ts).
import { z } from 'zod'
import type { Files } from '../../base/files.ts'
import type { RandomBytes } from '../../base/random.ts'
import { generateCode } from '../../protocol/pairing/code.ts'
import { openJson, sealJson } from '../durable/sealed-json.ts'

/** In the agent's folder from the first holding until the machine is in a fleet. */
const FILE = 'holding'
const stored = z.strictObject({ code: z.string().length(9) })

/** The code, or undefined when this machine does not hold. */
export async function readHoldingCode(files: Files): Promise<string | undefined> {
  const bytes = await files.read(FILE)
  return bytes && openJson(bytes, stored)?.code
}

/** The code, made once. One that cannot be read any more is replaced: nobody is bound to it yet. */
export async function holdingCode(files: Files, random: RandomBytes): Promise<string> {
  const known = await readHoldingCode(files)
  if (known !== undefined) return known
  const code = generateCode(random)
  await files.write(FILE, sealJson({ code }))
  return code
}

/** This machine has held, and what it put up for that may still stand. */
export async function hasHeld(files: Files): Promise<boolean> {
  return (await files.read(FILE)) !== undefined
}

export async function forgetHolding(files: Files): Promise<void> {
  await files.remove(FILE)
}
