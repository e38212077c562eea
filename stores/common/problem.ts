import type { Issue } from '../../api/issues.ts'
import type { ObjectKey } from '../../api/meta.ts'
import { type ErrorCode, PpnError, type SourceLocation } from '../../base/errors.ts'
import type { SourceProblem } from '../../controllers/ports/store.ts'

export interface ProblemPlace {
  key?: ObjectKey
  /** Used when there is no exact place. */
  file?: string
  at?: SourceLocation
  severity?: SourceProblem['severity']
  /** What was most likely meant: becomes the hint. */
  suggestion?: string
}

/** A row of the error table as a problem of the source. */
export function problemOf(code: ErrorCode, details: Record<string, unknown>, where: ProblemPlace = {}): SourceProblem {
  const error = new PpnError(code, details)
  const problem: SourceProblem = {
    code,
    message: error.message,
    hint: where.suggestion === undefined ? error.hint : `did you mean ${where.suggestion}?`,
    severity: where.severity ?? 'error',
  }
  if (where.key !== undefined) problem.key = where.key
  if (where.at) Object.assign(problem, where.at)
  else if (where.file !== undefined) problem.file = where.file
  return problem
}

export function problemOfIssue(issue: Issue, where: ProblemPlace): SourceProblem {
  const severity = issue.code === 'IgnoredField' ? 'warning' : 'error'
  return problemOf(issue.code, { what: issue.message }, { severity, suggestion: issue.suggestion, ...where })
}
