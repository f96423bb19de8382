import tseslint from "typescript-eslint";

export default tseslint.config(
  { ignores: ["dist", "node_modules"] },
  ...tseslint.configs.strict,
  ...tseslint.configs.stylistic,
  {
    files: ["src/**/*.{ts,tsx}", "tests/**/*.ts"],
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      "@typescript-eslint/no-floating-promises": "error",
      "@typescript-eslint/switch-exhaustiveness-check": "error",
      "@typescript-eslint/no-unused-expressions": "error",
      eqeqeq: "error",
      "no-console": "error",
    },
  },
  {
    // Layout is pure: rows in, rectangles out, tested without a browser.
    files: ["src/layout/**/*.ts"],
    rules: {
      "no-restricted-globals": [
        "error",
        "window",
        "document",
        "navigator",
        "performance",
        "requestAnimationFrame",
        "fetch",
        "localStorage",
      ],
      "no-restricted-imports": [
        "error",
        { patterns: ["solid-js*", "**/render/*", "**/state/*", "**/views/*", "**/api/client"] },
      ],
    },
  },
  {
    files: ["tests/**/*.mjs"],
    rules: { "no-console": "off" },
  },
);
