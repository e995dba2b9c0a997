/** What is wrong with a value, in words for the one who sent it. */

interface Problem {
  instancePath: string;
  message: string;
}

interface Validator {
  Errors(value: unknown): Problem[];
}

const PROBLEMS_SHOWN = 5;

/** `seq must be >= 1; time must match format "date-time"` */
export function problemsOf(validator: Validator, value: unknown): string {
  const problems = validator.Errors(value).map(({ instancePath, message }) => {
    const field = instancePath.slice(1).replaceAll('/', '.');
    return field === '' ? message : `${field} ${message}`;
  });
  const unique = [...new Set(problems)];
  return unique.slice(0, PROBLEMS_SHOWN).join('; ') || 'it does not match the schema';
}
