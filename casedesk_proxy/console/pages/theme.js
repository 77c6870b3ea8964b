// Runs before anything is painted: the choice of light or dark, where one was made.
{
  const chosen = localStorage.getItem("theme");
  if (chosen) document.documentElement.dataset.theme = chosen;
}
