// What is known of one parser that faces a socket or a file.
import type { Shape } from './mutate.ts'

/** What a parser made of one input. */
export type Verdict =
  /** Taken for a valid one. With `again`: the bytes it encodes to, which must be those that came in. */
  | { accepted: true; again?: Uint8Array }
  /** Refused for a reason that the parser declares. */
  | { accepted: false; reason: string }

export interface FuzzedParser {
  /** On the command line, and in the table of docs/security.md. */
  name: string
  /** Where its input comes from. */
  faces: 'socket' | 'file' | 'program' | 'person'
  /** `path#function` of everything that reads the input on this way. */
  covers: readonly string[]
  shape: Shape
  /** Valid inputs, without their wrapping. */
  valid: readonly Uint8Array[]
  /** Puts the tag, signature or checksum on that a valid input has, so that what lies behind it is reached. */
  wrap?(inner: Uint8Array): Uint8Array
  /** Throws for whatever it must not do: an error that is not declared, an input accepted that has another form. */
  read(input: Uint8Array): Verdict | Promise<Verdict>
}

export const accepted = (again?: Uint8Array): Verdict => ({ accepted: true, ...(again && { again }) })
export const refused = (reason: string): Verdict => ({ accepted: false, reason })
export const utf8 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8')
export const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text))
export const jsonOf = (value: unknown): Uint8Array => bytesOf(JSON.stringify(value))

/** The errors a parser says it throws, as reasons; any other goes on, and fails the run. */
export async function declared(codes: readonly string[], run: () => Verdict | Promise<Verdict>): Promise<Verdict> {
  try {
    return await run()
  } catch (error) {
    const { code, name } = error as { code?: string; name?: string }
    const said = [code, name].find((one) => one !== undefined && codes.includes(one))
    if (said === undefined) throw error
    return refused(said)
  }
}
