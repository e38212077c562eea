// `ppn agent holding`, at a machine without a fleet: what its screens show, and the person's answer about the digits.

import { readHoldingCode } from '../../agent/genesis/holding-code.ts'
import { answerIn, type Question, questionIn } from '../../agent/genesis/question.ts'
import { loadPins } from '../../agent/keys/pins.ts'
import { diskFiles } from '../../base/disk-files.ts'
import type { Files } from '../../base/files.ts'
import { CliError, EXIT, type ExitCode } from '../exit.ts'
import type { Io } from '../io.ts'
import { spaced } from '../output/digits.ts'
import { type Answers, openPrompt, type Prompt } from '../prompt.ts'

const LOOK_EVERY_MS = 300

/** Ends with 0 when the machine is in a fleet; with --once as soon as it has shown what there is. */
export async function holding(
  io: Io,
  options: { stateDir: string; once?: boolean },
  input?: Answers,
): Promise<ExitCode> {
  const files = diskFiles(options.stateDir)
  if (await loadPins(files)) {
    io.out('this machine is in a fleet\n')
    return EXIT.ok
  }
  const code = await readHoldingCode(files)
  if (code === undefined)
    throw new CliError(
      EXIT.no,
      'this machine does not hold',
      'start its agent: systemctl start ppn-agent, or ppn agent',
    )
  io.out(`code   ${code}\n`)
  const asked = await questionIn(files)
  if (options.once) {
    if (asked) io.out(`${asked.nodeName}, authority ${asked.authorityFingerprint}: digits ${asked.digits}\n`)
    return EXIT.ok
  }
  io.err('at the authority:   ppn claim ADDRESS --node NAME\n')
  const prompt = openPrompt(io, input)
  try {
    for (;;) {
      if (await loadPins(files)) break
      const question = await questionIn(files)
      if (question?.asked) await answer(io, prompt, files, question)
      await io.clock.sleep(LOOK_EVERY_MS, io.signal)
    }
    io.out('this machine is in a fleet now\n')
    return EXIT.ok
  } finally {
    prompt.close()
  }
}

/** Returns as well when the question is there no more: the line was lost, and a new one brings other digits. */
async function answer(io: Io, prompt: Prompt, files: Files, question: Question): Promise<void> {
  const { digits, nodeName, authorityFingerprint } = question
  io.err(`\n  becomes ${nodeName}, authority ${authorityFingerprint}\n\n      digits   ${spaced(digits)}\n\n`)
  const gone = new AbortController()
  const watching = watchFor(io, files, digits, gone)
  try {
    for (;;) {
      const said = await prompt.ask('Does the authority show the same six digits? yes or no: ', {
        signal: gone.signal,
        fresh: true,
      })
      if (/^(y(es)?|no?)$/i.test(said)) {
        await answerIn(files, digits, /^y/i.test(said))
        break
      }
    }
    await watching
  } catch (error) {
    if (io.signal.aborted || !gone.signal.aborted) throw error
    io.err('\nthe line was lost\n')
  }
}

/** Aborts `gone`, and resolves, when this question is asked no more. */
async function watchFor(io: Io, files: Files, digits: string, gone: AbortController): Promise<void> {
  while (!io.signal.aborted && (await questionIn(files))?.digits === digits)
    await io.clock.sleep(LOOK_EVERY_MS, io.signal).catch(() => {})
  gone.abort(new Error('the question is out of date'))
}
