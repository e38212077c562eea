// docs/conditions.md, from the table.
import { KINDS } from '../meta.ts'
import { READINESS } from './index.ts'
import { CONDITIONS_OF, type Domain, type Row } from './table.ts'

function when(row: Row<Domain>): string {
  const parts = Object.entries(row.when).map(([name, wanted]) => {
    const values = Array.isArray(wanted) ? wanted : [wanted]
    return `${name} = ${values.map((value) => `\`${value}\``).join(' or ')}`
  })
  return parts.length === 0 ? 'otherwise' : parts.join(', ')
}

const HEAD = `# Conditions

Generated from \`api/readiness\` by \`npm run generate\`. Do not edit.

Every object has the conditions \`Ready\`, \`Reconciling\` and \`Stalled\`; the last two are never both True. \`Ready\` is
True only when fresh telemetry shows the declared state at this generation. For each kind the first row whose facts
hold counts. \`Stalled\` means that somebody has to do something; the message says what.
`

export function conditionsMarkdown(): string {
  const sections = KINDS.map((kind) => {
    const rows = READINESS[kind].rows.map((row) => {
      const { Ready, Reconciling, Stalled } = CONDITIONS_OF[row.verdict]
      return `| ${when(row)} | ${Ready} | ${Reconciling} | ${Stalled} | ${row.reason} | ${row.message} |`
    })
    return `## ${kind}\n\n| when | Ready | Reconciling | Stalled | reason | message |\n|---|---|---|---|---|---|\n${rows.join('\n')}\n`
  })
  return `${HEAD}\n${sections.join('\n')}`
}
