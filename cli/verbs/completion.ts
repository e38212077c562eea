import type { Command } from 'commander'
import { KINDS } from '../../api/meta.ts'
import { NAMES } from '../../api/names.ts'
import { CliError, EXIT, type ExitCode } from '../exit.ts'
import type { Io } from '../io.ts'

interface Words {
  verb: string
  words: string[]
}

const KIND_VERBS = new Set(['get', 'describe', 'explain', 'events', 'confirm', 'delete'])

function wordsOf(program: Command): Words[] {
  const kinds = KINDS.flatMap((kind) => [NAMES[kind].plural, ...NAMES[kind].shortNames])
  return program.commands.map((command) => ({
    verb: command.name(),
    words: [
      ...command.commands.map((sub) => sub.name()),
      ...(KIND_VERBS.has(command.name()) ? [...kinds, 'all'] : []),
      ...command.options.map((option) => option.long ?? option.short ?? ''),
    ].filter((word) => word !== ''),
  }))
}

const bash = (verbs: Words[]) => `# bash completion for ppn: source <(ppn completion bash)
_ppn() {
  local current=\${COMP_WORDS[COMP_CWORD]} words
  if [ "$COMP_CWORD" -eq 1 ]; then
    words='${verbs.map((v) => v.verb).join(' ')}'
  else
    case \${COMP_WORDS[1]} in
${verbs.map((v) => `      ${v.verb}) words='${v.words.join(' ')}' ;;`).join('\n')}
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  # Folders and files where no word fits.
  [ \${#COMPREPLY[@]} -gt 0 ] || COMPREPLY=($(compgen -f -- "$current"))
}
complete -F _ppn ppn
`

const zsh = (verbs: Words[]) => `#compdef ppn
# zsh completion for ppn: ppn completion zsh > "\${fpath[1]}/_ppn"
_ppn() {
  if (( CURRENT == 2 )); then
    compadd ${verbs.map((v) => v.verb).join(' ')}
  else
    case $words[2] in
${verbs.map((v) => `      ${v.verb}) compadd -- ${v.words.join(' ')}; _files ;;`).join('\n')}
    esac
  fi
}
compdef _ppn ppn
`

const fish = (verbs: Words[]) => `# fish completion for ppn: ppn completion fish | source
complete -c ppn -n __fish_use_subcommand -f -a '${verbs.map((v) => v.verb).join(' ')}'
${verbs
  .filter((v) => v.words.length > 0)
  .map((v) => `complete -c ppn -n '__fish_seen_subcommand_from ${v.verb}' -a '${v.words.join(' ')}'`)
  .join('\n')}
`

const SHELLS: Readonly<Record<string, (verbs: Words[]) => string>> = { bash, zsh, fish }

/** `ppn completion SHELL`: made from the verbs there are, so that it never lags behind them. */
export function completion(io: Io, program: Command, shell: string): ExitCode {
  const make = SHELLS[shell]
  if (!make) throw new CliError(EXIT.usage, `no completion for "${shell}"`, `one of: ${Object.keys(SHELLS).join(', ')}`)
  io.out(make(wordsOf(program)))
  return EXIT.ok
}
