"""`python -m code_insight_deploy` and the command `code-insight-deploy`."""

import sys

from code_insight_deploy.cli import main

if __name__ == "__main__":
    sys.exit(main())
